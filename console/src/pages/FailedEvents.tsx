import { Code, Drawer, Stack, Table, Text, Title } from "@mantine/core";
import { useState } from "react";

import { type Schemas, useFailedEvents } from "../api";
import { Answer, count, Empty, Page, Panel, Rows, When } from "../parts";

export function FailedEvents() {
  const [code, setCode] = useState<string>();
  const [open, setOpen] = useState<Schemas["FailedEvent"]>();
  const failed = useFailedEvents(code);
  return (
    <Page title="Failed events" about="What could not be understood, why, and the untouched original. Nothing is thrown away.">
      <Answer to={failed}>
        {(data) =>
          data.total === 0 ? (
            <Empty what="No event has failed" command="catchment enrich" />
          ) : (
            <>
              <Panel title="By reason" aside={<Text c="dimmed" size="sm">{count(data.total)} in all</Text>}>
                <Rows head={["Why", "Schema", "Last seen", "Events"]} numeric={["Events"]}>
                  {data.reasons.map((reason) => (
                    <Table.Tr
                      key={`${reason.type}/${reason.code}/${reason.failed_schema}`}
                      onClick={() => setCode(code === reason.code ? undefined : reason.code)}
                      style={{ cursor: "pointer" }}
                      bg={code === reason.code ? "var(--mantine-primary-color-light)" : undefined}
                    >
                      <Table.Td>
                        <Text size="sm" fw={500}>{reason.example}</Text>
                        <Text size="xs" c="dimmed">{reason.type} · {reason.code}</Text>
                      </Table.Td>
                      <Table.Td><Text size="xs" ff="monospace">{reason.failed_schema ?? "–"}</Text></Table.Td>
                      <Table.Td><When at={reason.last_seen} /></Table.Td>
                      <Table.Td ta="right" className="number">{count(reason.events)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Rows>
              </Panel>
              <Panel title="Latest">
                <Rows head={["Arrived", "App", "Message"]}>
                  {data.events.map((event) => (
                    <Table.Tr key={event.failed_id} onClick={() => setOpen(event)} style={{ cursor: "pointer" }}>
                      <Table.Td><When at={event.collector_tstamp} /></Table.Td>
                      <Table.Td>{event.app_id}</Table.Td>
                      <Table.Td><Text size="sm">{event.message}</Text></Table.Td>
                    </Table.Tr>
                  ))}
                </Rows>
              </Panel>
            </>
          )
        }
      </Answer>
      <Drawer opened={open !== undefined} onClose={() => setOpen(undefined)} position="right" size="lg" title="Failed event">
        {open && (
          <Stack>
            <Text fw={600}>{open.message}</Text>
            <Title order={5}>Everything that is wrong</Title>
            <Code block>{JSON.stringify(open.errors, null, 2)}</Code>
            <Title order={5}>Original</Title>
            <Code block>{JSON.stringify(open.original, null, 2)}</Code>
          </Stack>
        )}
      </Drawer>
    </Page>
  );
}
