import { ActionIcon, AppShell, Burger, Center, Code, Group, NavLink, Paper, Stack, Text, Title, useMantineColorScheme } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { IconAlertTriangle, IconBolt, IconBrain, IconMoonStars, IconRoute, IconSend, IconUsersGroup } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { Link, Route, Routes, useLocation } from "react-router-dom";

import { ApiError, useFlow } from "./api";
import { Audiences } from "./pages/Audiences";
import { Events } from "./pages/Events";
import { FailedEvents } from "./pages/FailedEvents";
import { Home } from "./pages/Home";
import { Models } from "./pages/Models";
import { Syncs } from "./pages/Syncs";

const PAGES: { path: string; label: string; icon: typeof IconBolt; page: ReactNode }[] = [
  { path: "/", label: "Pipeline", icon: IconRoute, page: <Home /> },
  { path: "/events", label: "Events", icon: IconBolt, page: <Events /> },
  { path: "/failed-events", label: "Failed events", icon: IconAlertTriangle, page: <FailedEvents /> },
  { path: "/models", label: "Models", icon: IconBrain, page: <Models /> },
  { path: "/audiences", label: "Audiences", icon: IconUsersGroup, page: <Audiences /> },
  { path: "/syncs", label: "Syncs", icon: IconSend, page: <Syncs /> },
];

export function App() {
  const [isOpen, { toggle, close }] = useDisclosure(false);
  const { toggleColorScheme } = useMantineColorScheme();
  const { pathname } = useLocation();
  const flow = useFlow();
  if (flow.error instanceof ApiError && flow.error.status === 401) return <SignedOut />;
  return (
    <AppShell header={{ height: 56 }} navbar={{ width: 220, breakpoint: "sm", collapsed: { mobile: !isOpen } }} padding="xl">
      <AppShell.Header>
        <Group h="100%" px="md" justify="space-between">
          <Group gap="sm">
            <Burger opened={isOpen} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Menu" />
            <Text fw={700} size="lg">Catchment</Text>
            <Text c="dimmed">{flow.data?.project}</Text>
          </Group>
          <ActionIcon variant="subtle" color="gray" onClick={toggleColorScheme} aria-label="Light or dark">
            <IconMoonStars size={18} />
          </ActionIcon>
        </Group>
      </AppShell.Header>
      <AppShell.Navbar p="sm">
        {PAGES.map(({ path, label, icon: Icon }) => (
          <NavLink
            key={path}
            component={Link}
            to={path}
            label={label}
            active={path === pathname}
            onClick={close}
            leftSection={<Icon size={18} stroke={1.7} />}
            style={{ borderRadius: 8 }}
          />
        ))}
      </AppShell.Navbar>
      <AppShell.Main>
        <Routes>
          {PAGES.map(({ path, page }) => <Route key={path} path={path} element={page} />)}
          <Route path="*" element={<Text>There is no such page.</Text>} />
        </Routes>
      </AppShell.Main>
    </AppShell>
  );
}

function SignedOut() {
  return (
    <Center h="100vh">
      <Paper withBorder shadow="sm" p="xl" maw={460}>
        <Stack gap="sm">
          <Title order={3}>Sign in</Title>
          <Text>There is no password. Type this in the project's folder, and open the link that it prints:</Text>
          <Code block>catchment sign-in</Code>
        </Stack>
      </Paper>
    </Center>
  );
}
