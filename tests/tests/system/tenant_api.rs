//! A developer's view, with everything real: tenants by API, each with an agent in a cell of its own, and the key of its model where
//! nobody looks.

use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use system_tests::canary::{Canary, Search, found_in_home, go_from_home};
use system_tests::docker::{Part, container, containers, docker, exec as exec_in, inspect, logs, volumes};
use system_tests::model::Model;
use system_tests::trace::Trace;
use system_tests::{CELL_START, Program, Settings, model_of, wait_until};

async fn tenant(operator: &Program, name: &str, base_url: &str, key: &str) -> (String, Program) {
    let wanted = json!({"name": name, "model": model_of(base_url, key)});
    let (made, tenant) = operator.tenant(&wanted).await;
    (made["id"].as_str().expect("an id is text").to_owned(), tenant)
}

#[tokio::test]
async fn promise_01_a_tenant_talks_and_streams_and_goes_and_its_models_key_and_its_words_are_nowhere() {
    let settings = Settings::default().set("tenant_api.enabled", "true").separate_model();
    let mut installation = settings.start().await;
    let model = installation.separate_model().await;
    let operator = Program::operator(&installation);
    let traces = tempfile::tempdir().unwrap();
    let trace = Trace::of(installation.server_pid(), &traces.path().join("server.strace")).await;
    let (key, said, title) = (Canary::new("sk-"), Canary::new("said"), Canary::new("title"));
    let (id, anna) = tenant(&operator, "Anna", &model.base_url(), &key.text).await;
    let (bobs, bob) = tenant(&operator, "Bob", &model.base_url(), "sk-of-bob").await;

    // One answer.
    let asked = json!({"session_id": "first", "message": format!("[[say: you {}]]", said.text)});
    let answer = anna.ok(Method::POST, "/api/v1/chat", Some(&asked)).await;
    assert!(
        answer["message"]["text"].as_str().unwrap().contains(&said.text),
        "{answer}"
    );
    assert!(answer["usage"]["calls"].as_u64().unwrap() >= 1, "{answer}");

    // As events, with what a tool of the agent's does.
    let tool = format!(
        "[[tool: exec {}]] [[say: written]]",
        json!({"command": "echo from-the-tool"})
    );
    let asked = json!({"session_id": "first", "message": tool, "stream": true});
    let stream = anna.stream(&asked).await;
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    let text = stream.text().await.unwrap();
    for event in [
        "event: status",
        "event: tool",
        "from-the-tool",
        "event: delta",
        "event: usage",
        "event: final",
    ] {
        assert!(text.contains(event), "no {event} in {text}");
    }

    // What is Anna's is not there for Bob, and the other way round.
    let (status, _) = bob.send(Method::GET, "/api/v1/sessions/first", None).await;
    assert_eq!(status, 404);
    anna.ok(
        Method::PATCH,
        "/api/v1/sessions/first",
        Some(&json!({"title": title.text})),
    )
    .await;
    let read = anna.ok(Method::GET, "/api/v1/sessions/first", None).await;
    assert_eq!(read["title"], json!(title.text));
    assert_eq!(read["messages"].as_array().unwrap().len(), 4, "{read}");

    // Closing a stream stops the turn.
    let asked = json!({"session_id": "second", "message": "[[hold: stop]]", "stream": true});
    let mut stream = anna.stream(&asked).await;
    model.held("stop").await;
    stream.chunk().await.unwrap();
    drop(stream);
    wait_until("the turn is stopped", Duration::from_secs(60), async || {
        let listed = anna.ok(Method::GET, "/api/v1/sessions", None).await;
        let all = listed["sessions"].as_array().unwrap().clone();
        all.iter().all(|session| session["running"] == false).then_some(())
    })
    .await;
    model.release("stop").await;

    // What a function of the program's is asked, and what it answers, are words as well.
    let (asked, found) = (Canary::new("asked"), Canary::new("found"));
    let call = format!("[[call: look_up {}]] [[say: looked up]]", json!({"what": asked.text}));
    let question = json!({"role": "user", "content": call});
    let complete = async |messages: Value| {
        let tools = json!([{"type": "function", "function": {"name": "look_up"}}]);
        let wanted = json!({"model": "openclaw", "user": "second", "messages": messages, "tools": tools});
        let answer = anna.ok(Method::POST, "/v1/chat/completions", Some(&wanted)).await;
        answer["choices"][0]["message"].clone()
    };
    let called = complete(json!([question])).await;
    let result = json!({"role": "tool", "tool_call_id": called["tool_calls"][0]["id"], "content": found.text});
    let answer = complete(json!([question, called, result])).await;
    assert_eq!(answer["content"], "looked up", "{answer}");

    // Who may spend nothing gets nothing from the model, and nothing is asked of it.
    let poor = json!({"model": {"price": {"input": 1_000_000, "output": 1_000_000}}, "limits": {"spend_day": 0}});
    operator
        .ok(Method::PATCH, &format!("/api/v1/tenants/{bobs}"), Some(&poor))
        .await;
    let wanted = json!({"session_id": "poor", "message": "[[say: for nothing]]"});
    let (status, refused) = bob.send(Method::POST, "/api/v1/chat", Some(&wanted)).await;
    assert_eq!((status, &refused["code"]), (402, &json!("spending_limit")), "{refused}");
    assert!(!model.requests().await.to_string().contains("for nothing"));

    // The wrapping key is changed while it serves; then the master key, too, by somebody with another environment than the server's.
    let new_master = installation.data_dir().join("new-master-key");
    std::fs::write(&new_master, "a master key that the operator has chosen").unwrap();
    let rotate = |more: &[&Path]| {
        let rotated = std::process::Command::new(system_tests::binary())
            .args(["keys", "rotate", "--server", &installation.url(), "--data-dir"])
            .arg(installation.data_dir())
            .args(more)
            .env("OPENCLAW_TENANT_MASTER_KEY", "one that the server knows nothing of")
            .output()
            .unwrap();
        assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
        String::from_utf8(rotated.stdout).unwrap()
    };
    assert!(rotate(&[]).contains("Wrapping key 2"));
    let rotated = rotate(&[Path::new("--new-master-key-file"), &new_master]);
    assert!(
        rotated.contains("Wrapping key 3") && rotated.contains("is in the data directory"),
        "{rotated}"
    );
    // From the next start on, nothing opens without it.
    let taken = std::fs::read(installation.data_dir().join("keys/tenant-master.key")).unwrap();
    assert_eq!(taken, std::fs::read(&new_master).unwrap());

    // While it is awake: what Docker knows, what was logged, what the process was started with.
    let canaries = [key, said, title, asked, found];
    let mut search = Search::new(&canaries);
    for container in containers(&installation.id()) {
        search.bytes("docker inspect", docker(&["inspect", &container]).as_bytes());
        if inspect(&container, "{{.HostConfig.LogConfig.Type}}") != "none" {
            search.bytes("docker logs", logs(&container).as_bytes());
        }
    }
    for file in ["environ", "cmdline"] {
        let path = format!("/proc/{}/{file}", installation.server_pid());
        search.bytes(&path, &std::fs::read(&path).unwrap());
    }
    // The server is told the key and gives it to nobody as it is: neither the cell nor its database nor a file. The answer it gives to who asked.
    let wrote = trace.end_written();
    let mut crossed = Search::new(&canaries[..1]);
    crossed.bytes("what the server wrote", &wrote);
    assert!(crossed.found().is_empty(), "{:#?}", crossed.found());
    let mut control = Search::new(&canaries[1..2]);
    control.bytes("what the server wrote", &wrote);
    assert!(!control.found().is_empty(), "what it wrote was searched in vain");
    // Asleep: every byte at rest. Then awake again with what the platform keeps, and nothing is lost.
    installation.down().await;
    for volume in volumes(&installation.id()) {
        let folder = docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &volume]);
        search.folder(Path::new(&folder));
    }
    search.folder(installation.data_dir());
    assert!(search.found().is_empty(), "{:#?}", search.found());
    let mut control = Search::new(&[Canary::of("the operator's word for it", "Anna")]);
    control.folder(&installation.data_dir().join("postgres"));
    assert!(!control.found().is_empty(), "the database was searched in vain");

    installation.run().await;
    let read = anna.ok(Method::GET, "/api/v1/sessions/first", None).await;
    assert_eq!(read["messages"].as_array().unwrap().len(), 4, "{read}");
    let seen = operator.ok(Method::GET, &format!("/api/v1/tenants/{id}"), None).await;
    let cell = seen["cell"]["id"].as_str().unwrap();
    let [_, said, title, ..] = canaries;
    let deleted = [said, title];
    wait_until("the agent runs, with what was said", CELL_START, async || {
        let found = found_in_home(cell, &deleted)?;
        (!found.is_empty()).then_some(())
    })
    .await;
    assert_eq!(anna.send(Method::DELETE, "/api/v1/sessions/first", None).await.0, 204);
    assert_eq!(anna.send(Method::GET, "/api/v1/sessions/first", None).await.0, 404);
    let listed = anna.ok(Method::GET, "/api/v1/sessions", None).await;
    assert_eq!(listed["sessions"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["sessions"][0]["id"], "second");
    // Nor is it in the home, with what is archived there.
    go_from_home(cell, &deleted).await;

    // Gone is gone, and the other stays.
    let before = volumes(&installation.id()).len();
    let gone = operator
        .ok(Method::DELETE, &format!("/api/v1/tenants/{id}"), None)
        .await;
    assert!(gone["removed"]["blobs"].as_u64().unwrap() > 0, "{gone}");
    assert_eq!(gone["removed"]["sessions"], 1);
    assert!(volumes(&installation.id()).len() < before);
    assert_eq!(gone["removed"]["cell"], cell);
    let blobs = walk(&installation.data_dir().join("blobs"));
    assert!(!blobs.iter().any(|path| path.contains(cell)), "{blobs:?}");
    assert_eq!(anna.send(Method::GET, "/v1/models", None).await.0, 401);
    bob.ok(Method::GET, "/v1/models", None).await;
}

/// The paths of all files in a folder.
fn walk(folder: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        match path.is_dir() {
            true => all.extend(walk(&path)),
            false => all.push(path.display().to_string()),
        }
    }
    all
}

#[tokio::test]
async fn a_tenants_agent_asks_before_a_command_and_the_developers_program_answers() {
    let settings = Settings::default().set("tenant_api.enabled", "true");
    let installation = settings.start().await;
    let operator = Program::operator(&installation);
    // What waits is asked for again and again below.
    let wanted = json!({"name": "Anna", "limits": {"requests_per_minute": 100_000}});
    let (made, anna) = operator.tenant(&wanted).await;
    let ask = json!({"ask_before_commands": true});
    anna.ok(Method::PATCH, "/api/v1/approvals", Some(&ask)).await;
    // With its model the agent starts for the first time: the setting counts from then on.
    let model = model_of(&installation.model().base_url(), "sk-unused");
    let path = format!("/api/v1/tenants/{}", made["id"].as_str().expect("an id is text"));
    operator.ok(Method::PATCH, &path, Some(&json!({"model": model}))).await;
    for (word, said, ran) in [("permitted-words", "allow", true), ("refused-words", "refuse", false)] {
        let run = json!({"command": format!("echo {word}")});
        let message = format!("[[tool: exec {run}]] [[say: done]]");
        let asked = json!({"session_id": "first", "message": message, "stream": true, "detach": true});
        let stream = anna.stream(&asked).await;
        let request = wait_until("the agent asks", Duration::from_secs(240), async || {
            let listed = anna.ok(Method::GET, "/api/v1/approvals", None).await;
            listed["approvals"].as_array().unwrap().first().cloned()
        })
        .await;
        assert_eq!(
            (&request["session_id"], &request["action"]["kind"]),
            (&json!("first"), &json!("run_command")),
            "{request:#}"
        );
        assert!(request["action"]["command"].to_string().contains(word), "{request:#}");
        let decision = json!({"hash": request["hash"], "answer": said});
        let path = format!("/api/v1/approvals/{}", request["id"].as_str().unwrap());
        anna.ok(Method::POST, &path, Some(&decision)).await;
        let text = stream.text().await.unwrap();
        assert!(text.contains("event: final"), "{text}");
        let results = text.lines().filter(|line| line.contains("\"phase\":\"result\""));
        let output = |line: &str| {
            let event: Value = serde_json::from_str(line.trim_start_matches("data: ")).unwrap();
            event["output"].as_str().unwrap_or_default().to_owned()
        };
        let printed = results
            .map(output)
            .any(|output| output.lines().any(|line| line.trim() == word));
        assert_eq!(printed, ran, "{text}");
    }
}

/// What the last request to the model offered its agent.
async fn offered(model: &Model) -> Vec<String> {
    let requests = model.requests().await;
    let last = requests["requests"]
        .as_array()
        .and_then(|all| all.last())
        .expect("a request");
    let tools = last["tools"].as_array().expect("a list").iter();
    tools.map(|tool| tool.as_str().unwrap_or_default().to_owned()).collect()
}

async fn talk(program: &Program, session: &str, message: &str) -> Value {
    let asked = json!({"session_id": session, "message": message});
    program.ok(Method::POST, "/api/v1/chat", Some(&asked)).await
}

#[tokio::test]
async fn an_agent_is_what_its_template_says_and_its_model_is_not_offered_what_that_forbids() {
    let settings = Settings::default().set("tenant_api.enabled", "true").separate_model();
    let mut installation = settings.start().await;
    let model = installation.separate_model().await;
    let operator = Program::operator(&installation);
    let wanted = json!({"name": "Anna", "template": "writer", "model": {
        "kind": "openai", "base_url": model.base_url(), "key": "sk-of-anna", "model": "scripted",
    }});
    let (made, anna) = operator.tenant(&wanted).await;
    let at = format!("/api/v1/tenants/{}", made["id"].as_str().unwrap());

    // Who it is, what it has learnt, and what it may use.
    talk(&anna, "first", "[[say: hello]]").await;
    let system = model.system().await;
    assert!(system.contains("You are a writer and an editor"), "{system}");
    for skill in [
        "How to get from a wish to a first draft",
        "How to edit a text that somebody else wrote",
    ] {
        assert!(system.contains(skill), "{skill} is not in {system}");
    }
    let tools = offered(&model).await;
    let forbidden = [
        "exec",
        "process",
        "web_fetch",
        "web_search",
        "cron",
        "automations",
        "gateway",
        "openclaw",
    ];
    let has = |name: &str| tools.iter().any(|tool| tool == name);
    assert!(!forbidden.iter().any(|name| has(name)), "{tools:?}");
    assert!(["read", "write", "edit"].iter().all(|name| has(name)), "{tools:?}");

    // A model that calls one all the same gets nothing done, and the configuration is out of the other tools' reach.
    let call = |tool: &str, arguments: Value| format!("[[tool: {tool} {arguments}]] [[say: done]]");
    let exec = call(
        "exec",
        json!({"command": "touch /home/node/.openclaw/workspace/by-a-command"}),
    );
    talk(&anna, "first", &exec).await;
    let write = |path: &str, content: &str| call("write", json!({"path": path, "content": content}));
    talk(&anna, "first", &write("/home/node/.openclaw/openclaw.json", "{}")).await;
    talk(&anna, "first", &write("SOUL.md", "I write, and I like cats.")).await;
    let cell = made["cell"]["id"].as_str().unwrap();
    let agent = container(cell, Part::Agent).expect("the agent runs");
    let read = |path: &str| exec_in(&agent, &["cat", path]);
    assert!(!read("/home/node/.openclaw/workspace/by-a-command").0);
    assert!(read("/home/node/.openclaw/openclaw.json").1.contains("group:runtime"));
    assert!(read("/home/node/.openclaw/workspace/SOUL.md").1.contains("cats"));

    // Asleep and awake again, it is who it has become, with the same policy.
    drop(model);
    installation.down().await;
    installation.run().await;
    // On the network that was made anew.
    let model = installation.separate_model().await;
    talk(&anna, "second", "[[say: hello again]]").await;
    let system = model.system().await;
    assert!(
        system.contains("I like cats") && !system.contains("You are a writer and an editor"),
        "{system}"
    );
    assert!(!offered(&model).await.iter().any(|tool| tool == "exec"));

    // Another template: without being asked to start, with what the agent had made of the first beside it.
    let own = json!({"name": "press-desk", "persona": "You write for the press desk.", "tools": {"allow": ["read"]}});
    operator.ok(Method::POST, "/api/v1/templates", Some(&own)).await;
    operator
        .ok(Method::PATCH, &at, Some(&json!({"template": "press-desk"})))
        .await;
    // A message that comes before the agent is ended is answered by what it was.
    let system = wait_until("the agent is another", CELL_START, async || {
        talk(&anna, "third", "[[say: hello]]").await;
        let system = model.system().await;
        system.contains("You write for the press desk.").then_some(system)
    })
    .await;
    assert!(!system.contains("How to get from a wish to a first draft"), "{system}");
    assert_eq!(offered(&model).await, ["read"]);
    let agent = container(cell, Part::Agent).expect("the agent runs");
    let before = exec_in(&agent, &["cat", "/home/node/.openclaw/workspace/SOUL.before.md"]).1;
    assert!(before.contains("I like cats"), "{before}");
}

#[tokio::test]
async fn an_agent_goes_on_to_its_next_model_with_that_ones_key_where_the_first_cannot_answer() {
    let settings = Settings::default().set("tenant_api.enabled", "true").separate_model();
    let installation = settings.start().await;
    let model = installation.separate_model().await;
    let operator = Program::operator(&installation);
    let next = json!({
        "kind": "anthropic", "base_url": model.base_url().trim_end_matches("/v1"), "key": "sk-of-the-next", "model": "scripted",
    });
    let first = model_of(&model.base_url(), "sk-of-the-first");
    let wanted = json!({"name": "Anna", "model": first, "fallbacks": [next]});
    let (_, anna) = operator.tenant(&wanted).await;
    let asked = async |words: &str| -> Vec<Value> {
        let all = model.requests().await["requests"].as_array().unwrap().clone();
        let of_these = all
            .iter()
            .filter(|one| one["asked"].as_str().is_some_and(|asked| asked.contains(words)));
        of_these.map(|one| one["protocol"].clone()).collect()
    };
    talk(&anna, "first", "[[say: of the first]]").await;
    assert_eq!(asked("of the first").await, ["openai"]);
    model.goes_down("openai").await;
    talk(&anna, "first", "[[say: of the next]]").await;
    assert_eq!(asked("of the next").await.last().unwrap(), "anthropic");
}

#[tokio::test]
async fn promise_03_two_agents_of_a_tenant_have_a_cell_and_a_home_each_and_one_goes_without_the_other() {
    let settings = Settings::default().set("tenant_api.enabled", "true").separate_model();
    let installation = settings.start().await;
    let model = installation.separate_model().await;
    let operator = Program::operator(&installation);
    let (id, anna) = tenant(&operator, "Anna", &model.base_url(), "sk-of-anna").await;
    let wanted = json!({"name": "press", "template": "butler", "model": {"key": "sk-of-press"}});
    let agents = format!("/api/v1/tenants/{id}/agents");
    let made = operator.ok(Method::POST, &agents, Some(&wanted)).await;
    let press = made["cell"]["id"].as_str().expect("an id is text");

    // Each writes into a home of its own, and knows only what was said to it.
    let write = |text: &str| {
        let arguments = json!({"path": "note.md", "content": text});
        format!("[[tool: write {arguments}]] [[say: written]]")
    };
    for (agent, text) in [("main", "of the first"), ("press", "of the press")] {
        let said = json!({"agent": agent, "session_id": "same", "message": write(text)});
        anna.ok(Method::POST, "/api/v1/chat", Some(&said)).await;
    }
    let main = operator.ok(Method::GET, &format!("{agents}/main"), None).await;
    let main = main["cell"]["id"].as_str().expect("an id is text");
    let note = |cell: &str| {
        let agent = container(cell, Part::Agent).expect("the agent runs");
        exec_in(&agent, &["cat", "/home/node/.openclaw/workspace/note.md"]).1
    };
    assert_eq!(
        (note(main).trim(), note(press).trim()),
        ("of the first", "of the press")
    );
    for query in ["", "?agent=press"] {
        let read = anna
            .ok(Method::GET, &format!("/api/v1/sessions/same{query}"), None)
            .await;
        assert_eq!(read["messages"].as_array().unwrap().len(), 2, "{query}: {read}");
    }

    // One is removed, and nothing of it is left; the other goes on.
    let before = volumes(&installation.id()).len();
    let gone = operator.ok(Method::DELETE, &format!("{agents}/press"), None).await;
    assert_eq!(gone["removed"]["sessions"], 1, "{gone}");
    assert!(gone["removed"]["blobs"].as_u64().unwrap() > 0, "{gone}");
    assert!(volumes(&installation.id()).len() < before);
    assert!(container(press, Part::Agent).is_none());
    let blobs = walk(&installation.data_dir().join("blobs"));
    assert!(!blobs.iter().any(|path| path.contains(press)), "{blobs:?}");
    let said = json!({"agent": "press", "message": "[[say: hello]]"});
    assert_eq!(anna.send(Method::POST, "/api/v1/chat", Some(&said)).await.0, 404);
    talk(&anna, "same", "[[say: still here]]").await;
    assert_eq!(note(main).trim(), "of the first");
}

#[tokio::test]
async fn promise_06_a_job_of_an_agent_that_sleeps_runs_at_its_time_by_itself_and_the_agent_sleeps_again() {
    let settings = Settings::default()
        .set("tenant_api.enabled", "true")
        .set("cells.pause_after", "4s")
        .set("cells.sleep_after", "10s")
        .separate_model();
    let installation = settings.start().await;
    let model = installation.separate_model().await;
    let operator = Program::operator(&installation);
    let (id, anna) = tenant(&operator, "Anna", &model.base_url(), "sk-of-anna").await;
    let at = format!("/api/v1/tenants/{id}");
    let seconds = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let minute = seconds / 60 + 3;
    let (cron, due) = (format!("{} {} * * *", minute % 60, minute / 60 % 24), minute * 60_000);
    let job = json!({"name": "nightly", "cron": cron, "message": "[[say: by the clock]]"});
    let wanted = json!({"name": "watch", "schedule": [job]});
    operator.ok(Method::POST, "/api/v1/templates", Some(&wanted)).await;
    let given = operator
        .ok(Method::PATCH, &at, Some(&json!({"template": "watch"})))
        .await;
    assert_eq!(given["schedule"], json!([{"name": "nightly", "next_at": due}]));

    // The operator's look at it wakes nobody.
    let asleep = async || {
        let seen = operator.ok(Method::GET, &at, None).await;
        (seen["cell"]["state"] == "asleep").then_some(seen)
    };
    let before = wait_until("the agent sleeps", Duration::from_secs(120), &asleep).await;
    assert_eq!(
        before["schedule"][0].get("last_at"),
        None,
        "it slept too late to show anything: {before}"
    );
    let done = wait_until("the job has run", Duration::from_secs(180) + CELL_START, async || {
        let seen = operator.ok(Method::GET, &at, None).await["schedule"][0].clone();
        seen["last_at"].is_i64().then_some(seen)
    })
    .await;
    assert_eq!(done["last_result"], "done", "{done}");
    assert!(done["last_at"].as_u64().unwrap() >= due, "{done}");
    assert_eq!(done["next_at"], due + 24 * 60 * 60 * 1000);
    wait_until("the agent sleeps again", Duration::from_secs(120), &asleep).await;
    let session = anna.ok(Method::GET, "/api/v1/sessions/schedule-nightly", None).await;
    let said = session["messages"].as_array().unwrap();
    assert_eq!(said.len(), 2, "{session}");
    assert!(said[1]["text"].as_str().unwrap().contains("by the clock"), "{session}");
}
