import { Badge, Group, SimpleGrid, Stack, Table, Text, Title } from "@mantine/core";

import { type Schemas, useModels } from "../api";
import { Answer, count, Empty, Page, Panel, Rows, When, words } from "../parts";

const METRICS: [string, string][] = [
  ["roc_auc", "ROC AUC"],
  ["average_precision", "Average precision"],
  ["log_loss", "Log loss"],
  ["brier", "Brier score"],
];

export function Models() {
  const models = useModels();
  return (
    <Page title="Models" about="Tables that dbt derives from events, and who is predicted to convert.">
      <Answer to={models}>
        {(data) => (
          <>
            {data.predictions.map((prediction) => <Prediction key={prediction.name} prediction={prediction} />)}
            {data.tables.length === 0 ? (
              <Empty what="No model was built yet" command="catchment run" />
            ) : (
              <Panel title="Tables">
                <Rows head={["Table", "Built", "Delta version", "Rows"]} numeric={["Delta version", "Rows"]}>
                  {data.tables.map((table) => (
                    <Table.Tr key={table.name}>
                      <Table.Td><Text size="sm" fw={500} ff="monospace">{table.name}</Text></Table.Td>
                      <Table.Td><When at={table.built_at} /></Table.Td>
                      <Table.Td ta="right" className="number">{table.version}</Table.Td>
                      <Table.Td ta="right" className="number">{count(table.rows)}</Table.Td>
                    </Table.Tr>
                  ))}
                </Rows>
              </Panel>
            )}
          </>
        )}
      </Answer>
    </Page>
  );
}

function Prediction({ prediction }: { prediction: Schemas["Prediction"] }) {
  const best = prediction.versions.find((version) => version.is_champion);
  const most = Math.max(...prediction.deciles.map((decile) => decile.mean_score), 0.000001);
  return (
    <Panel
      title={words(prediction.name)}
      aside={best && <Group gap="xs"><Badge color="teal" variant="light">champion: version {best.version}</Badge><When at={best.trained_at} /></Group>}
    >
      <Text c="dimmed" size="sm" mb="md">{prediction.description}</Text>
      {best ? (
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="xl">
          <Stack>
            <SimpleGrid cols={2}>
              {METRICS.filter(([key]) => key in best.metrics).map(([key, label]) => (
                <div key={key}>
                  <Title order={3} className="number">{best.metrics[key].toFixed(3)}</Title>
                  <Text size="sm" c="dimmed">{label}, on held-out people</Text>
                </div>
              ))}
            </SimpleGrid>
            <Group>
              {prediction.labels.map(({ label, value }) => (
                <Badge key={label} variant="light" color={label === "High" ? "teal" : label === "Medium" ? "yellow" : "gray"}>
                  {label} · {count(value)}
                </Badge>
              ))}
            </Group>
          </Stack>
          <div role="img" aria-label="Mean predicted probability by decile">
            <Text size="sm" c="dimmed" mb="xs">Mean predicted probability by decile; 10 is the likeliest tenth</Text>
            {prediction.deciles.map(({ decile, mean_score }) => (
              <Group key={decile} gap="sm" wrap="nowrap" mb={3}>
                <Text size="xs" w={20} ta="right" className="number">{decile}</Text>
                <div style={{ flex: 1 }}><div className="bar" style={{ width: `${(100 * mean_score) / most}%` }} /></div>
                <Text size="xs" w={52} ta="right" className="number">{(100 * mean_score).toFixed(1)} %</Text>
              </Group>
            ))}
          </div>
        </SimpleGrid>
      ) : (
        <Empty what="Nothing was learned yet" command={`catchment train ${prediction.name}`} />
      )}
    </Panel>
  );
}
