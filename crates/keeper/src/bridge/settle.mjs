// Runs before each start of OpenClaw, in the home as it was left. A conversation whose turn was under way when OpenClaw
// was killed is marked so that OpenClaw does not take that turn up again by itself: that is for the person to decide.
import { existsSync, globSync, readdirSync, rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

// An index that was being built is built anew by whoever starts; the half of it may know what is deleted by now.
const halves = globSync("{state,memory,agents/*/agent}/*.sqlite.memory-reindex-*", { cwd: process.env.OPENCLAW_STATE_DIR });
for (const half of halves) rmSync(`${process.env.OPENCLAW_STATE_DIR}/${half}`, { recursive: true, force: true });

const agents = `${process.env.OPENCLAW_STATE_DIR}/agents`;
for (const agent of existsSync(agents) ? readdirSync(agents) : []) {
  const file = `${agents}/${agent}/agent/openclaw-agent.sqlite`;
  if (!existsSync(file)) continue;
  const database = new DatabaseSync(file);
  database.exec("BEGIN IMMEDIATE");
  const settled = database.prepare(`
    UPDATE session_nodes SET status = 'killed', entry_json = json_set(
      json_remove(entry_json, '$.abortedLastRun', '$.restartRecoveryRuns', '$.mainRestartRecovery', '$.activeWriterRunId', '$.lifecycleRunId'),
      '$.status', 'killed')
    WHERE status = 'running' AND entry_valid = 1 RETURNING session_key`).all();
  // A trigger of OpenClaw's takes the mark from every entry that changes, and OpenClaw starts with none that lacks it.
  const mark = database.prepare("UPDATE session_nodes SET entry_valid = 1 WHERE session_key = ?");
  for (const { session_key } of settled) mark.run(session_key);
  database.exec("COMMIT");
  database.close();
}
