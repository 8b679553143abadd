import { Alert, Card, Group, Stack, Text, Title } from "@mantine/core";
import { IconAlertTriangle, IconChevronRight } from "@tabler/icons-react";
import { Link } from "react-router-dom";

import { type Schemas, useAudiences, useFlow, useSyncs } from "../api";
import { Answer, color, count, Page, Panel, Rows, State, When, words } from "../parts";
import { Table } from "@mantine/core";

const WHERE: Record<string, string> = {
  collect: "/events", enrich: "/events", lake: "/models", model: "/models", predict: "/models", audience: "/audiences", activate: "/syncs",
  measure: "/models",
};

export function Home() {
  const flow = useFlow();
  return (
    <Page title="Pipeline" about="From the click to the campaign, as it stands now.">
      <Answer to={flow}>
        {(data) => (
          <>
            <div className="flow">{data.stages.map((stage) => <Stage key={stage.name} stage={stage} />)}</div>
            {data.stages.filter((stage) => stage.problem).map((stage) => (
              <Alert key={stage.name} color="red" icon={<IconAlertTriangle />} title={`${stage.title} last ended with an error`}>
                {stage.problem}
              </Alert>
            ))}
          </>
        )}
      </Answer>
      <Audiences />
    </Page>
  );
}

function Stage({ stage }: { stage: Schemas["Stage"] }) {
  const [first, ...others] = stage.facts;
  return (
    <Link to={WHERE[stage.name] ?? "/"} className="stage-link">
      <Card withBorder shadow="xs" className="stage" style={{ "--stage-color": `var(--mantine-color-${color(stage.state)}-6)`, overflow: "visible" }}>
        <Group justify="space-between" mb={4}>
          <Text fw={600}>{stage.title}</Text>
          <State of={stage.state} />
        </Group>
        <Stack gap={0}>
          <Title order={2} className="number">{count(first.value)}</Title>
          <Text size="sm" c="dimmed">{first.label}</Text>
        </Stack>
        {others.map((fact) => (
          <Text key={fact.label} size="sm" mt={6} className="number">
            {count(fact.value)} <Text span size="sm" c="dimmed">{fact.label}</Text>
          </Text>
        ))}
        {stage.last_run_at && <Text size="xs" c="dimmed" mt="sm">ran <When at={stage.last_run_at} /></Text>}
        <IconChevronRight className="stage-arrow" size={20} aria-hidden />
      </Card>
    </Link>
  );
}

function Audiences() {
  const audiences = useAudiences();
  const syncs = useSyncs();
  return (
    <Panel title="Who goes where">
      <Answer to={audiences}>
        {(data) => (
          <Rows head={["Audience", "People", "Destination", "Last run", "Sent"]} numeric={["People", "Sent"]}>
            {data.map((audience) => {
              const sync = syncs.data?.find((each) => audience.syncs.includes(each.name));
              const run = sync?.runs[0];
              return (
                <Table.Tr key={audience.name}>
                  <Table.Td>
                    <Text fw={500} size="sm">{words(audience.name)}</Text>
                    <Text size="xs" c="dimmed">{audience.description}</Text>
                  </Table.Td>
                  <Table.Td ta="right" className="number">{count(audience.size)}</Table.Td>
                  <Table.Td>{sync?.destination ?? "–"}</Table.Td>
                  <Table.Td>{run ? <Group gap="xs"><State of={run.status} /><When at={run.started_at} /></Group> : "–"}</Table.Td>
                  <Table.Td ta="right" className="number">{run ? count(run.sent) : "–"}</Table.Td>
                </Table.Tr>
              );
            })}
          </Rows>
        )}
      </Answer>
    </Panel>
  );
}
