import { Alert, Badge, Card, Center, Code, Group, Loader, Paper, Stack, Table, Text, Title, Tooltip } from "@mantine/core";
import { IconAlertTriangle } from "@tabler/icons-react";
import type { ReactNode } from "react";

import { ApiError } from "./api";

export const count = (value: number) => value.toLocaleString("en-GB");

export const words = (name: string) => name.replaceAll("_", " ");

/** A moment as people say it; the exact one, in UTC, on hovering. */
export function When({ at }: { at?: string | null }) {
  if (!at) return <Text span c="dimmed" size="sm">never</Text>;
  const seconds = Math.max(0, (Date.now() - new Date(at).getTime()) / 1000);
  const [size, unit] =
    seconds < 60 ? [1, "s"] : seconds < 3600 ? [60, "min"] : seconds < 86_400 ? [3600, "h"] : [86_400, "d"];
  return (
    <Tooltip label={new Date(at).toISOString().replace("T", " ").slice(0, 19) + " UTC"}>
      <Text span size="sm" className="number">{`${Math.floor(seconds / (size as number))} ${unit} ago`}</Text>
    </Tooltip>
  );
}

const COLORS: Record<string, string> = {
  ok: "teal", success: "teal", sent: "teal", warning: "yellow", partial: "yellow", retry: "yellow", skipped: "gray",
  failed: "red", rejected: "red", error: "red", empty: "gray",
};

export const color = (state: string) => COLORS[state] ?? "gray";

export function State({ of }: { of: string }) {
  return <Badge color={color(of)} variant="light" radius="sm">{of}</Badge>;
}

export function Page({ title, about, children }: { title: string; about: string; children: ReactNode }) {
  return (
    <Stack gap="lg">
      <div>
        <Title order={2}>{title}</Title>
        <Text c="dimmed">{about}</Text>
      </div>
      {children}
    </Stack>
  );
}

interface Query<T> {
  data?: T;
  error: Error | null;
  isPending: boolean;
}

/** Shows a question's answer, or honestly that it is on its way or went wrong. */
export function Answer<T>({ to, children }: { to: Query<T>; children: (data: T) => ReactNode }) {
  if (to.data !== undefined) return <>{children(to.data)}</>;
  if (to.isPending) return <Center h={200}><Loader aria-label="Loading" /></Center>;
  const hint = to.error instanceof ApiError ? to.error.hint : "";
  return (
    <Alert color="red" icon={<IconAlertTriangle />} title="This could not be read">
      <Text>{to.error?.message}</Text>
      {hint && <Code block mt="xs">{hint}</Code>}
    </Alert>
  );
}

export function Empty({ what, command }: { what: string; command: string }) {
  return (
    <Paper withBorder p="xl">
      <Stack align="center" gap="xs">
        <Text fw={600}>{what}</Text>
        <Text c="dimmed" size="sm">It fills when you run <Code>{command}</Code></Text>
      </Stack>
    </Paper>
  );
}

export function Panel({ title, aside, children }: { title?: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <Card withBorder shadow="xs" padding="lg">
      {(title || aside) && (
        <Group justify="space-between" mb="md">
          <Title order={4}>{title}</Title>
          {aside}
        </Group>
      )}
      {children}
    </Card>
  );
}

/** A table of rows; numbers stand to the right. */
export function Rows({ head, numeric = [], children }: { head: string[]; numeric?: string[]; children: ReactNode }) {
  return (
    <Table.ScrollContainer minWidth={600}>
      <Table verticalSpacing="xs" highlightOnHover>
        <Table.Thead>
          <Table.Tr>
            {head.map((name) => (
              <Table.Th key={name} ta={numeric.includes(name) ? "right" : "left"}>{name}</Table.Th>
            ))}
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>{children}</Table.Tbody>
      </Table>
    </Table.ScrollContainer>
  );
}
