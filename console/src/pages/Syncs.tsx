import { Badge, Drawer, Group, Table, Text } from "@mantine/core";
import { useState } from "react";

import { type Schemas, useReceipts, useSyncs } from "../api";
import { Answer, count, Empty, Page, Panel, Rows, State, When, words } from "../parts";

const COUNTS = ["added", "changed", "removed", "unchanged", "sent", "rejected", "retry", "skipped"] as const;

export function Syncs() {
  const syncs = useSyncs();
  const [open, setOpen] = useState<{ sync: string; run: string }>();
  return (
    <Page title="Syncs" about="What each destination was told, run by run, with a receipt for every row.">
      <Answer to={syncs}>
        {(data) =>
          data.length === 0 ? (
            <Empty what="No sync is defined" command="catchment sync" />
          ) : (
            <>{data.map((sync) => <Sync key={sync.name} sync={sync} onOpen={(run) => setOpen({ sync: sync.name, run })} />)}</>
          )
        }
      </Answer>
      <Drawer opened={open !== undefined} onClose={() => setOpen(undefined)} position="right" size="xl" title="Receipts">
        {open && <Receipts sync={open.sync} run={open.run} />}
      </Drawer>
    </Page>
  );
}

function Sync({ sync, onOpen }: { sync: Schemas["Sync"]; onOpen: (run: string) => void }) {
  return (
    <Panel
      title={words(sync.name)}
      aside={<Group gap="xs"><Badge variant="light">{sync.audience && words(sync.audience)}</Badge><Text size="sm">→ {sync.destination}</Text></Group>}
    >
      <Text c="dimmed" size="sm" mb="sm">{sync.description}</Text>
      {sync.runs.length === 0 ? (
        <Empty what="It has not run yet" command={`catchment sync ${sync.name}`} />
      ) : (
        <Rows head={["Run", "State", ...COUNTS]} numeric={[...COUNTS]}>
          {sync.runs.map((run) => (
            <Table.Tr key={run.run_id} onClick={() => onOpen(run.run_id)} style={{ cursor: "pointer" }}>
              <Table.Td><When at={run.started_at} /></Table.Td>
              <Table.Td><State of={run.status} />{run.error && <Text size="xs" c="red">{run.error}</Text>}</Table.Td>
              {COUNTS.map((name) => (
                <Table.Td key={name} ta="right" className="number" c={run[name] === 0 ? "dimmed" : undefined}>{count(run[name])}</Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Rows>
      )}
    </Panel>
  );
}

function Receipts({ sync, run }: { sync: string; run: string }) {
  const receipts = useReceipts(sync, run);
  return (
    <Answer to={receipts}>
      {(rows) =>
        rows.length === 0 ? (
          <Text c="dimmed">This run had nothing to send.</Text>
        ) : (
          <Rows head={["Row", "Operation", "State", "Reason", "Payload"]}>
            {rows.map((row) => (
              <Table.Tr key={`${row.row_key}/${row.operation}`}>
                <Table.Td><Text size="xs" ff="monospace">{row.row_key}</Text></Table.Td>
                <Table.Td>{row.operation}</Table.Td>
                <Table.Td><State of={row.status} /></Table.Td>
                <Table.Td><Text size="xs">{row.reason}</Text></Table.Td>
                <Table.Td maw={260}><Text size="xs" ff="monospace" lineClamp={3}>{row.payload}</Text></Table.Td>
              </Table.Tr>
            ))}
          </Rows>
        )
      }
    </Answer>
  );
}
