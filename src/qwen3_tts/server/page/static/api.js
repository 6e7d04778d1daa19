// Requests to the server's own routes, with the key where there is one, and its errors as errors.
import { visit } from "./dom.js";

export class ApiError extends Error {
  constructor(code, message, status) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export const key = {
  get: () => visit.get("key"),
  set: (value) => visit.set("key", value),
};

export async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  if (key.get()) headers.set("Authorization", `Bearer ${key.get()}`);
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "same-origin" });
  } catch {
    throw new ApiError("NETWORK", "The server could not be reached.", 0);
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const error = body.error ?? {};
  const code = String(
    error.code ?? (response.status === 401 ? "UNAUTHORIZED" : `HTTP ${response.status}`),
  );
  throw new ApiError(
    code,
    error.message ?? response.statusText ?? "no reason was given",
    response.status,
  );
}
