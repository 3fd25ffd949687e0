//! What a hostile program in the agent's container, and a broken keeper, find themselves with.

use cells::driver::{Driver as _, Part, PartState};

use crate::installation::{Installation, docker, lines};

#[tokio::test]
async fn promise_04_an_agent_has_no_network_no_privilege_and_no_way_to_its_keepers_files() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let agent = |script: &str| installation.inside(cell, Part::Agent, script);

    assert_eq!(agent("ls /sys/class/net").unwrap(), "lo");
    assert_eq!(agent("id -u").unwrap(), "1000");
    let status = agent("cat /proc/1/status").unwrap();
    for line in [
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "CapBnd:\t0000000000000000",
    ] {
        assert!(status.contains(line), "{line} in {status}");
    }
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    assert!(status.contains("Seccomp:\t2"), "{status}");

    for path in ["/vault", "/run/platform"] {
        assert_eq!(agent(&format!("ls -A {path}")).unwrap(), "", "{path}");
    }
    for path in [
        "/x",
        "/bin/x",
        "/run/holdfast/x",
        "/run/platform/x",
        "/vault/x",
        "/etc/x",
    ] {
        assert!(agent(&format!("touch {path}")).is_err(), "{path}");
    }
    for path in ["/home/node/x", "/tmp/x"] {
        agent(&format!("touch {path}")).unwrap();
    }
    for path in ["/var/run/docker.sock", "/run/docker.sock"] {
        assert!(agent(&format!("ls {path}")).is_err(), "{path}");
    }
    // Only its own processes.
    assert!(!agent("ps").unwrap().contains("serve"));
    let environment = agent("cat /proc/1/environ | tr '\\0' '\\n'").unwrap();
    assert!(
        environment
            .lines()
            .all(|line| line.starts_with("PATH=") || line.starts_with("HOSTNAME=") || line.starts_with("HOME=")),
        "{environment}"
    );
}

#[tokio::test]
async fn the_seccomp_profile_that_is_given_is_the_one_in_force() {
    let profile = r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[
        {"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}"#;
    let installation = Installation::with(|config| config.agent_seccomp = profile.into()).await;
    let cell = installation.cell().await;
    let made = installation.inside(cell, Part::Agent, "mkdir /tmp/x");
    assert!(made.unwrap_err().contains("not permitted"));
    installation.inside(cell, Part::Keeper, "mkdir /tmp/x").unwrap();
}

#[tokio::test]
async fn a_keeper_has_what_it_needs_and_no_more() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let keeper = |script: &str| installation.inside(cell, Part::Keeper, script);

    let status = keeper("cat /proc/1/status").unwrap();
    // CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID, SETPCAP: bits 0, 1, 3, 6, 7, 8.
    assert!(status.contains("CapBnd:\t00000000000001cb"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    for path in ["/x", "/run/platform/x"] {
        assert!(
            keeper(&format!("touch {path}")).unwrap_err().contains("Read-only"),
            "{path}"
        );
    }
    for path in ["/vault/x", "/home/node/x", "/run/holdfast/x", "/tmp/x"] {
        keeper(&format!("touch {path}")).unwrap();
    }
    assert_eq!(keeper("ulimit -c").unwrap(), "0");
    let log = installation.driver.logs(cell, Part::Keeper, 10).await.unwrap();
    assert_eq!(log, ["/holdfast-keeper serve"]);
}

#[tokio::test]
async fn limits_are_in_force_and_nothing_that_an_agent_writes_is_logged() {
    let installation = Installation::new().await;
    let cell = installation.cell().await;
    let of = |part, format: &str| installation.inspect(cell, part, format);

    let limits = "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.PidsLimit}} {{.HostConfig.NanoCpus}}";
    assert_eq!(of(Part::Agent, limits), "67108864 67108864 512 500000000");
    let keeper_memory = 128 * 1024 * 1024 + 8 * 1024 * 1024;
    assert_eq!(
        of(Part::Keeper, limits),
        format!("{keeper_memory} {keeper_memory} 128 0")
    );
    assert_eq!(of(Part::Agent, "{{.HostConfig.LogConfig.Type}}"), "none");
    assert_eq!(
        of(Part::Keeper, "{{.HostConfig.LogConfig.Config}}"),
        "map[max-file:2 max-size:1m]"
    );
    let hostname = installation.inside(cell, Part::Agent, "hostname").unwrap();
    assert_eq!(
        hostname, "agent",
        "it says nothing of the cell, and is the same where a backup of it is restored"
    );

    let stats = installation.driver.stats(cell, Part::Agent).await.unwrap();
    assert!(stats.memory_bytes > 0 && stats.pids > 0, "{stats:?}");
    assert!(
        installation
            .driver
            .logs(cell, Part::Agent, 10)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn two_installations_on_a_machine_do_not_touch_each_other() {
    let (one, two) = (Installation::new().await, Installation::new().await);
    let (in_one, in_two) = (one.cell().await, two.cell().await);
    let listed: Vec<_> = one.driver.list().await.unwrap().iter().map(|view| view.cell).collect();
    assert_eq!(listed, [in_one]);
    assert_eq!(one.driver.inspect(in_two).await.unwrap(), None);

    // Asked for the other's cell, it does nothing to it.
    for part in Part::BOTH {
        one.driver.remove(in_two, part).await.unwrap();
        one.driver.remove(in_one, part).await.unwrap();
    }
    one.driver.destroy(in_two).await.unwrap();
    one.driver.destroy(in_one).await.unwrap();
    one.driver.teardown().await.unwrap();

    let view = two.driver.inspect(in_two).await.unwrap().unwrap();
    assert_eq!(
        (view.keeper, view.agent, view.tenant),
        (PartState::Running, PartState::Running, two.tenant)
    );
    let rules = String::from_utf8(
        std::process::Command::new("/usr/sbin/iptables-save")
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap();
    assert!(!rules.contains(&one.short()), "{rules}");
    assert!(
        rules.contains(&format!("-A INPUT -i hf-{0} -j HF-{0}-IN", two.short())),
        "{rules}"
    );
    assert!(
        rules.contains(&format!("-A DOCKER-USER -i hf-{0} -j HF-{0}-FWD", two.short())),
        "{rules}"
    );
    let label = format!("label=holdfast.installation={}", one.id);
    for kind in [&["ps", "-aq"][..], &["volume", "ls", "-q"], &["network", "ls", "-q"]] {
        assert!(
            lines(&docker(&[kind, &["--filter", &label]].concat())).is_empty(),
            "{kind:?}"
        );
    }
}
