/** A tool call as one line that says what was done; the exact input and output fold out. */
import { html, nothing, type TemplateResult } from "lit";
import type { Part } from "../channel/messages";
import { icon } from "../parts/icon";
import type { IconName } from "../parts/icon-names";
import "../parts/copy";

type Tool = Extract<Part, { type: "tool" }>;

const KNOWN: Record<string, { icon: IconName; doing: string; did: string; about: string[] }> = {
  exec: { icon: "terminal", doing: "Running a command", did: "Ran a command", about: ["command", "cmd"] },
  bash: { icon: "terminal", doing: "Running a command", did: "Ran a command", about: ["command"] },
  process: { icon: "terminal", doing: "Watching a command", did: "Watched a command", about: ["action"] },
  read: { icon: "file-text", doing: "Reading a file", did: "Read a file", about: ["path", "file_path", "file"] },
  write: { icon: "pencil", doing: "Writing a file", did: "Wrote a file", about: ["path", "file_path", "file"] },
  edit: { icon: "pencil", doing: "Changing a file", did: "Changed a file", about: ["path", "file_path", "file"] },
  apply_patch: { icon: "pencil", doing: "Changing files", did: "Changed files", about: [] },
  web_search: { icon: "search", doing: "Searching the web", did: "Searched the web", about: ["query"] },
  web_fetch: { icon: "globe", doing: "Opening a web page", did: "Opened a web page", about: ["url"] },
  browser: { icon: "globe", doing: "Using the browser", did: "Used the browser", about: ["url", "action"] },
  holdfast__call_integration: { icon: "plug-zap", doing: "Calling a service", did: "Called a service", about: ["service"] },
  holdfast__list_integrations: { icon: "plug-zap", doing: "Looking at your services", did: "Looked at your services", about: [] },
  holdfast__vault_status: { icon: "lock", doing: "Looking whether your vault is open", did: "Looked whether your vault is open", about: [] },
  holdfast__unlock_link: { icon: "lock-open", doing: "Getting the link to unlock", did: "Got the link to unlock", about: [] },
  memory_search: { icon: "search", doing: "Looking in its memory", did: "Looked in its memory", about: ["query"] },
};

function parsed(input: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(input);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function pretty(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : JSON.stringify(value, null, 2);
  } catch {
    return text;
  }
}

function section(title: string, text: string): TemplateResult | typeof nothing {
  if (text === "") return nothing;
  return html`<div class="tool-part">
    <div class="tool-part-head"><span>${title}</span><hf-copy .text=${text} label="Copy ${title.toLowerCase()}"></hf-copy></div>
    <pre tabindex="0" role="region" aria-label=${title}>${text}</pre>
  </div>`;
}

export function toolRow(tool: Tool): TemplateResult {
  const known = KNOWN[tool.name];
  const input = parsed(tool.input);
  const about = known?.about.map((name) => input[name]).find((value) => typeof value === "string") as string | undefined;
  const words = tool.state === "running" ? (known?.doing ?? `Using ${tool.name}`) : (known?.did ?? `Used ${tool.name}`);
  const outcome = tool.state === "running" ? "running" : tool.state === "ok" ? "done" : "failed";
  return html`<details class="tool tool-${tool.state}">
    <summary>
      ${icon(known?.icon ?? "wrench", "s")}
      <span class="tool-words">${words}</span>
      ${about ? html`<code class="tool-about">${about.split("\n")[0]?.slice(0, 200)}</code>` : nothing}
      <span class="tool-state">${tool.state === "running" ? icon("loader-circle", "s") : tool.state === "ok" ? icon("check", "s") : icon("circle-x", "s")}<span class=${tool.state === "failed" ? "" : "sr-only"}>${outcome}</span></span>
      ${icon("chevron-down", "s")}
    </summary>
    ${section("Input", pretty(tool.input))} ${section("Output", pretty(tool.output))}
    ${tool.input === "" && tool.output === "" ? html`<p class="hint">Nothing to show yet.</p>` : nothing}
  </details>`;
}
