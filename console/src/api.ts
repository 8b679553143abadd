import { useQuery } from "@tanstack/react-query";
import createClient from "openapi-fetch";

import type { components, paths } from "./contract";

export type Schemas = components["schemas"];

const client = createClient<paths>({ baseUrl: "/" });

/** What went wrong, in the server's own words; `status` 401 means that nobody is signed in. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly hint = "",
  ) {
    super(message);
  }
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

function unwrap<T>({ data, error, response }: Answer<T>): T {
  if (data !== undefined) return data;
  const told = (error ?? {}) as { detail?: unknown; hint?: string };
  const message = typeof told.detail === "string" ? told.detail : `The server answered ${response.status}.`;
  throw new ApiError(response.status, message, told.hint);
}

const LIVE_MS = 3_000;
const CALM_MS = 10_000;

export const useFlow = () =>
  useQuery({ queryKey: ["flow"], queryFn: async () => unwrap(await client.GET("/api/v1/flow")), refetchInterval: LIVE_MS });

export const useEvents = (event_name?: string) =>
  useQuery({
    queryKey: ["events", event_name],
    queryFn: async () => unwrap(await client.GET("/api/v1/events", { params: { query: { limit: 100, event_name } } })),
    refetchInterval: LIVE_MS,
  });

export const useFailedEvents = (code?: string) =>
  useQuery({
    queryKey: ["failed-events", code],
    queryFn: async () => unwrap(await client.GET("/api/v1/failed-events", { params: { query: { limit: 100, code } } })),
    refetchInterval: CALM_MS,
  });

export const useModels = () =>
  useQuery({ queryKey: ["models"], queryFn: async () => unwrap(await client.GET("/api/v1/models")), refetchInterval: CALM_MS });

export const useAudiences = () =>
  useQuery({
    queryKey: ["audiences"],
    queryFn: async () => unwrap(await client.GET("/api/v1/audiences")),
    refetchInterval: CALM_MS,
  });

export const useSyncs = () =>
  useQuery({ queryKey: ["syncs"], queryFn: async () => unwrap(await client.GET("/api/v1/syncs")), refetchInterval: CALM_MS });

export const useReceipts = (name: string, run_id?: string) =>
  useQuery({
    queryKey: ["receipts", name, run_id],
    queryFn: async () =>
      unwrap(await client.GET("/api/v1/syncs/{name}/receipts", { params: { path: { name }, query: { run_id } } })),
  });
