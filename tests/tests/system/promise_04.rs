//! A hostile program in the agent's container finds no network, no key and no file of the vault.

use serde_json::json;
use system_tests::Installation;
use system_tests::canary::{Canary, Search};
use system_tests::docker::{Part, container, docker, exec, networks};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn promise_04_a_program_in_the_agents_container_reaches_no_network_no_key_and_no_vault_file() {
    let installation = Installation::start().await;
    let owner = installation.owner().await;
    let key = Canary::new("sk-");
    let session = owner.make_vault(PASSWORD).await.session;
    session.connect_model(&installation.model().base_url(), &key.text).await;
    session.ready().await;
    let conversation = session.conversation().await;
    session.ask(&conversation, "[[say: hello]]").await;

    let agent = container(owner.cell(), Part::Agent).expect("the agent runs");
    let shell = |script: &str| exec(&agent, &["sh", "-c", script]);

    // The probes work at all: the agent's own home can be read.
    let (_, home) = shell("cat /home/node/.openclaw/openclaw.json");
    assert!(home.contains("127.0.0.1"), "{home}");

    // No network but its own loopback.
    let (_, interfaces) = shell("cat /proc/net/dev");
    let names: Vec<&str> = interfaces
        .lines()
        .skip(2)
        .filter_map(|line| line.split(':').next())
        .map(str::trim)
        .collect();
    assert_eq!(names, ["lo"]);
    let network = networks(&installation.id()).remove(0);
    let gateway = docker(&[
        "network",
        "inspect",
        "--format",
        "{{(index .IPAM.Config 0).Gateway}}",
        &network,
    ]);
    for address in [gateway.as_str(), "169.254.169.254", "1.1.1.1", "10.0.0.1"] {
        let connect = format!("timeout 5 python3 -c \"import socket; socket.create_connection(('{address}', 80), 3)\"");
        let (reached, said) = shell(&connect);
        assert!(!reached, "{address} was reached");
        assert!(
            said.contains("unreachable") || said.contains("timed out"),
            "{address}: {said}"
        );
    }
    // Its keeper's proxy refuses what no agent may reach, whatever the name is.
    let (_, environment) = shell("tr '\\0' '\\n' < /proc/1/environ");
    let proxy = format!("http://127.0.0.1:{}", protocol::bridge::EGRESS_PORT);
    for target in [
        format!("http://{gateway}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        "http://127.0.0.1:18790/".to_owned(),
        "http://localhost/".to_owned(),
        "http://[::1]/".to_owned(),
        "http://0x7f000001/".to_owned(),
        "http://host.holdfast.internal/".to_owned(),
    ] {
        let (through, said) = shell(&format!(
            "curl --silent --show-error --fail --proxytunnel --max-time 10 --proxy {proxy} '{target}'"
        ));
        assert!(!through, "{target} through the proxy: {said}");
        assert!(said.contains("403") || said.contains("CONNECT"), "{target}: {said}");
    }

    // No key: in no environment, no command line, no file that it can read.
    assert!(!environment.contains(&key.text));
    let mut search = Search::new(std::slice::from_ref(&key));
    let (_, processes) = shell("cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null");
    assert!(
        processes.contains("OPENCLAW_STATE_DIR"),
        "the environments of the agent's processes can be read"
    );
    search.bytes("an environment or a command line", processes.as_bytes());
    let (_, files) = shell("tar --create --file=- /home /tmp /etc /run /var /root /mnt /srv 2>/dev/null");
    search.bytes("a file that the agent can read", files.as_bytes());
    assert!(
        search.searched() > 1_000_000,
        "only {} bytes were searched",
        search.searched()
    );
    assert!(search.found().is_empty(), "{:?}", search.found());
    // And yet its model was asked with a key.
    let asked = installation.model().requests().await;
    let requests = asked["requests"].as_array().cloned().unwrap_or_default();
    let hello: Vec<_> = requests
        .iter()
        .filter(|request| {
            request["asked"]
                .as_str()
                .is_some_and(|words| words.contains("[[say: hello]]"))
        })
        .collect();
    assert!(!hello.is_empty(), "the model was not asked: {asked:#}");
    assert!(hello.iter().all(|request| request["key"] == "right"), "{hello:#?}");

    // No file of the vault, and nothing of the host or of the keeper's container.
    let (_, mounts) = shell("cat /proc/self/mountinfo");
    for place in ["vault", "docker.sock", "platform.sock", "/run/platform"] {
        assert!(!mounts.contains(place), "{place} is mounted:\n{mounts}");
    }
    let (_, sockets) = shell("find / -xdev -type s 2>/dev/null; find /run -type s 2>/dev/null");
    for socket in sockets.lines() {
        let name = socket.rsplit('/').next().unwrap_or_default();
        let known = ["bridge.sock", "broker.sock", "egress.sock"];
        assert!(
            known.contains(&name),
            "{socket} is a socket that the agent should not see"
        );
    }
    let (wrote, _) = shell("touch /run/holdfast/mine");
    assert!(!wrote, "the agent can write where its keeper listens");
    let (root, _) = shell("test -w / || test -w /opt/openclaw || test -w /etc/passwd");
    assert!(!root, "the agent can write its own system");

    // A tool of the agent itself is no stronger than the probe.
    let tool = format!(
        "[[tool: exec {}]] [[say: ok]]",
        json!({ "command": "id -u; grep Cap /proc/self/status" })
    );
    let turn = session.ask(&conversation, &tool).await;
    let result = turn
        .events
        .iter()
        .find(|event| event["kind"] == "tool" && event["phase"] == "result");
    let output = result.and_then(|event| event["output"].as_str()).unwrap_or_default();
    assert!(output.contains("1000"), "{turn:#?}");
    assert!(output.contains("CapEff:\t0000000000000000"), "{output}");
    assert!(output.contains("CapBnd:\t0000000000000000"), "{output}");
}
