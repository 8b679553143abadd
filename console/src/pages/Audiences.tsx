import { Badge, Code, Grid, Group, Stack, Text, Title } from "@mantine/core";

import { type Schemas, useAudiences } from "../api";
import { Answer, count, Empty, Page, Panel, When, words } from "../parts";

export function Audiences() {
  const audiences = useAudiences();
  return (
    <Page title="Audiences" about="Who is chosen, by which rule, and how that changes.">
      <Answer to={audiences}>
        {(data) =>
          data.length === 0 ? (
            <Empty what="No audience is defined" command="catchment refresh" />
          ) : (
            <>{data.map((audience) => <Audience key={audience.name} audience={audience} />)}</>
          )
        }
      </Answer>
    </Page>
  );
}

function Audience({ audience }: { audience: Schemas["Audience"] }) {
  const last = audience.history.at(-1);
  return (
    <Panel title={words(audience.name)} aside={<Group gap="xs">{audience.syncs.map((name) => <Badge key={name} variant="light">{words(name)}</Badge>)}</Group>}>
      <Grid gap="xl">
        <Grid.Col span={{ base: 12, md: 4 }}>
          <Stack gap={4}>
            <Title order={1} className="number">{count(audience.size)}</Title>
            <Text size="sm" c="dimmed">people now</Text>
            {last && (
              <Text size="sm" className="number">
                +{count(last.entered)} entered, −{count(last.left)} left, <When at={last.refreshed_at} />
              </Text>
            )}
            <Spark sizes={audience.history.map(({ size }) => size)} />
          </Stack>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 8 }}>
          <Text mb="sm">{audience.description}</Text>
          <Code block>{audience.definition}</Code>
        </Grid.Col>
      </Grid>
    </Panel>
  );
}

/** Size over the refreshes; the axis starts at nought, so that a small change looks small. */
function Spark({ sizes }: { sizes: number[] }) {
  if (sizes.length < 2) return null;
  const most = Math.max(...sizes, 1);
  const points = sizes.map((size, place) => `${(100 * place) / (sizes.length - 1)},${60 - (56 * size) / most}`);
  return (
    <svg className="spark" viewBox="0 0 100 64" preserveAspectRatio="none" role="img" aria-label="Size over time">
      <polyline points={points.join(" ")} fill="none" stroke="var(--mantine-primary-color-filled)" strokeWidth={2} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
