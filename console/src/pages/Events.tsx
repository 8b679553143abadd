import { Chip, Group, Table, Text } from "@mantine/core";
import { useState } from "react";

import { useEvents } from "../api";
import { Answer, count, Empty, Page, Panel, Rows, When } from "../parts";

export function Events() {
  const [kind, setKind] = useState<string>();
  const events = useEvents(kind);
  return (
    <Page title="Events" about="What visitors did, newest first, after enrichment and validation.">
      <Answer to={events}>
        {(data) =>
          data.total === 0 ? (
            <Empty what="No event has arrived yet" command="catchment up" />
          ) : (
            <Panel>
              <Group gap="xs" mb="md">
                {data.kinds.map(({ label, value }) => (
                  <Chip key={label} size="xs" checked={kind === label} onChange={(on) => setKind(on ? label : undefined)}>
                    {label} · {count(value)}
                  </Chip>
                ))}
              </Group>
              <Rows head={["Event", "Happened", "Page", "Visitor", "Country", "Campaign or referrer"]}>
                {data.events.map((event) => (
                  <Table.Tr key={event.event_id}>
                    <Table.Td><Text size="sm" fw={500}>{event.event_name}</Text></Table.Td>
                    <Table.Td><When at={event.derived_tstamp} /></Table.Td>
                    <Table.Td maw={320}><Text size="sm" truncate title={event.page_url ?? ""}>{event.page_title ?? event.page_url}</Text></Table.Td>
                    <Table.Td><Text size="sm" ff="monospace">{event.user_id ?? event.domain_userid?.slice(0, 8)}</Text></Table.Td>
                    <Table.Td>{event.geo_country}</Table.Td>
                    <Table.Td><Text size="sm">{event.mkt_campaign ?? event.refr_source ?? "–"}</Text></Table.Td>
                  </Table.Tr>
                ))}
              </Rows>
            </Panel>
          )
        }
      </Answer>
    </Page>
  );
}
