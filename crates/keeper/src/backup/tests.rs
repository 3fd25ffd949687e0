//! Backups from one cell into another, with a real vault, home and store of sealed objects on both sides.

use std::collections::HashMap;

use protocol::SlotId;
use protocol::channel::VaultState;

use super::BackupFailure;
use super::incoming::{Incoming, Progress};
use super::outgoing::Outgoing;
use crate::cell::tests::bench::{Bench, Keeper};
use crate::vault_service::{FreshProof, LockReason};

async fn backup_of(keeper: &Keeper) -> Vec<u8> {
    let mut outgoing = Outgoing::start(&keeper.vault, keeper.cell.home()).await.unwrap();
    let mut file = Vec::new();
    while !outgoing.done() {
        file.extend(outgoing.read().await.unwrap());
    }
    file
}

/// Reads a backup up to its end, opened by the slot of the bench that it came from.
async fn read(keeper: &Keeper, from: &Bench, file: &[u8]) -> Result<Incoming, BackupFailure> {
    let mut incoming = Incoming::start(&keeper.vault, keeper.cell.home()).await;
    for part in file.chunks(300_000) {
        match incoming.write(part).await {
            Ok(()) => {}
            Err(error) => return Err(error),
        }
        if incoming.progress() == Progress::NeedsKey {
            incoming.open(from.slot(), from.kek()).await?;
        }
    }
    match incoming.progress() {
        Progress::Complete => Ok(incoming),
        _ => Err(BackupFailure::Unfinished),
    }
}

fn noise(seed: u8, length: usize) -> String {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + u8::try_from(state >> 24).unwrap() % 26)
    };
    (0..length).map(|_| next()).collect()
}

/// A cell with a conversation's record and files, some of them cut in several chunks.
async fn full() -> (Bench, Keeper) {
    let mut bench = Bench::new();
    let keeper = bench.ready().await;
    keeper
        .vault
        .put_record("chat/conversation/one", b"first")
        .await
        .unwrap();
    bench.agent.write("notes.txt", "what the agent knows");
    bench.agent.write("large.txt", &noise(1, 400_000));
    keeper.cell.saved().await.unwrap();
    (bench, keeper)
}

/// What the stores hold, and the vault on disk.
fn durable(bench: &Bench, keeper: &Keeper) -> (HashMap<String, Vec<u8>>, Vec<u8>) {
    let manifests = bench.platform.store.manifests();
    let objects = bench.platform.store.objects.lock().unwrap();
    let counts = manifests
        .into_iter()
        .map(|name| (name.clone(), objects[&name].to_vec()));
    (counts.collect(), keeper.vault.copy().unwrap().file)
}

#[tokio::test]
async fn a_backup_brings_vault_and_home_to_another_installation() {
    let (old, keeper) = full().await;
    // A copy of what somebody shares: they may take it back before this backup is restored.
    keeper.vault.put_record("share/copy/one", b"theirs").await.unwrap();
    keeper.vault.put_record("activity/untold", b"\x01{}").await.unwrap();
    let file = backup_of(&keeper).await;
    // What comes after it is not in it.
    old.agent.write("notes.txt", "later");
    keeper.cell.saved().await.unwrap();
    keeper
        .vault
        .put_record("chat/conversation/two", b"second")
        .await
        .unwrap();
    let identity = keeper.vault.identity().await.unwrap().public();

    let mut new = Bench::new();
    let restored = new.keeper().await;
    new.unlock(&restored).await;
    let mut incoming = read(&restored, &old, &file).await.unwrap();
    assert_eq!(incoming.content().1, 1);
    restored
        .cell
        .replace_home(async { Ok(incoming.apply().await?) })
        .await
        .unwrap();
    restored.vault.lock(LockReason::Asked).await.unwrap();
    assert_eq!(restored.vault.state(), VaultState::Locked);
    drop(incoming);
    restored.kill().await;

    // The slots are those of the new place; what is inside is what was in the old one.
    let restored = new.ready().await;
    assert_eq!(
        restored
            .vault
            .get_record("chat/conversation/one")
            .unwrap()
            .unwrap()
            .as_slice(),
        b"first"
    );
    assert!(restored.vault.get_record("chat/conversation/two").unwrap().is_none());
    assert!(restored.vault.get_record("share/copy/one").unwrap().is_none());
    assert!(restored.vault.get_record("activity/untold").unwrap().is_none());
    assert_eq!(restored.vault.model().unwrap().unwrap().model, "model-1");
    assert_eq!(restored.vault.identity().await.unwrap().public(), identity);
    assert_eq!(new.agent.read("notes.txt").unwrap(), "what the agent knows");
    assert_eq!(new.agent.read("large.txt").unwrap(), noise(1, 400_000));
    // And it goes on from there.
    new.agent.write("notes.txt", "what it learned since");
    restored.cell.saved().await.unwrap();
    restored.kill().await;
    assert_eq!(new.sealed("notes.txt").await.unwrap(), "what it learned since");
    keeper.kill().await;
}

#[tokio::test]
async fn promise_09_a_restore_undoes_nothing_that_was_taken_back_counted_or_paused_since() {
    let (old, keeper) = full().await;
    let put = async |records: &[(&str, &str)]| {
        let records = records.iter().map(|(name, value)| {
            let version: &[u8] = if name.starts_with("relay/") { &[] } else { &[1] };
            ((*name).to_owned(), Some([version, value.as_bytes()].concat()))
        });
        keeper.vault.put_records(records.collect()).await.unwrap();
    };
    let uses = |calls: u8, recent: &str, until: u8| {
        format!(r#"{{"calls":{calls},"last":9,"recent":[{recent}],"until":{until}}}"#)
    };
    let (first, second, both) = (uses(7, "1,2", 5), uses(3, "2,3", 9), uses(7, "1,2,3", 9));
    let nonce = |of: &str| format!(r#"["{of}AAAAAAAAAAAAAAAAAAAAA",9]"#);
    let nonces = |of: &[&str]| format!("[{}]", of.iter().map(|of| nonce(of)).collect::<Vec<_>>().join(","));
    put(&[
        ("share/revoked/before", "1"),
        ("share/use/one", &first),
        ("share/nonces", &nonces(&["A", "Q"])),
        ("approval-second", "1"),
        ("approval-rule/taken-back", "1"),
        ("approval-rule/kept", "1"),
        ("activity/untold", r#"{"asked":1}"#),
        ("relay/epochs/head", r#"{"v":1,"number":1,"hash":""}"#),
        (
            "relay/restored",
            r#"{"v":1,"revoked":["01a21ede-1a16-7737-bbc9-cbcf73c3af60"]}"#,
        ),
    ])
    .await;
    let file = backup_of(&keeper).await;
    put(&[
        ("share/revoked/since", "2"),
        ("share/use/one", &second),
        ("share/nonces", &nonces(&["A", "g"])),
        ("approval-second", "2"),
        ("approval-rule/kept", "2"),
        ("approval/one", "2"),
        ("activity/untold", r#"{"asked":2}"#),
        ("rates/agent/calendar", "2"),
        ("relay/epochs/head", r#"{"v":1,"number":2,"hash":""}"#),
        (
            "relay/restored",
            r#"{"v":1,"revoked":["01a21ede-1a16-7737-bbc9-cbcf73c3af65"]}"#,
        ),
    ])
    .await;
    keeper.vault.delete_record("share/revoked/before").await.unwrap();
    keeper.vault.delete_record("approval-rule/taken-back").await.unwrap();

    let mut incoming = read(&keeper, &old, &file).await.unwrap();
    let replaced = async { Ok(incoming.apply().await?) };
    keeper.cell.replace_home(replaced).await.unwrap();
    let is = |name: &str, value: &str| {
        let there = keeper.vault.get_record(name).unwrap().unwrap_or_default().to_vec();
        let there = String::from_utf8(there).unwrap();
        assert_eq!(there.trim_start_matches('\u{1}'), value, "{name}");
    };
    is("share/revoked/before", "1");
    is("share/revoked/since", "2");
    is("share/use/one", &both);
    is("share/nonces", &nonces(&["g", "A", "Q"]));
    is("approval-second", "2");
    is("approval-rule/taken-back", "");
    is("approval-rule/kept", "2");
    is("approval/one", "2");
    is("activity/untold", r#"{"asked":2}"#);
    is("rates/agent/calendar", "2");
    is("relay/epochs/head", r#"{"v":1,"number":2,"hash":""}"#);
    is(
        "relay/restored",
        r#"{"v":1,"revoked":["01a21ede-1a16-7737-bbc9-cbcf73c3af60","01a21ede-1a16-7737-bbc9-cbcf73c3af65"]}"#,
    );
    drop(incoming);
    keeper.kill().await;
}

#[tokio::test]
async fn promise_02_a_backup_that_was_cut_swapped_or_mixed_is_refused_and_replaces_nothing() {
    let (old, keeper) = full().await;
    let file = backup_of(&keeper).await;
    old.agent.write("notes.txt", "later");
    keeper.cell.saved().await.unwrap();
    let later = backup_of(&keeper).await;

    let (new, restored) = full().await;
    let before = durable(&new, &restored);
    let sections = sections(&file);
    let later_sections = self::sections(&later);
    assert!(sections.len() > 5, "a vault, a list, several chunks and an end");
    let whole = |parts: Vec<&[u8]>| [b"holdfast-backup\x01".as_slice(), &parts.concat()].concat();
    let all: Vec<&[u8]> = sections.iter().map(Vec::as_slice).collect();
    let end = all.len() - 1;

    let mut without_a_chunk = all.clone();
    without_a_chunk.remove(3);
    let mut swapped = all.clone();
    swapped.swap(2, 3);
    let mut renamed = sections.clone();
    let name: Vec<u8> = sections[3][5..37].to_vec();
    renamed[2][5..37].copy_from_slice(&name);
    let renamed: Vec<&[u8]> = renamed.iter().map(Vec::as_slice).collect();
    let mut other_list = all.clone();
    other_list[1] = &later_sections[1];
    let mut other_vault = all.clone();
    other_vault[0] = &later_sections[0];
    let mut other_end = all.clone();
    other_end[end] = later_sections.last().unwrap();
    let mut changed = sections.clone();
    changed[2][60] ^= 1;
    let changed: Vec<&[u8]> = changed.iter().map(Vec::as_slice).collect();
    let damaged: [(&str, Vec<u8>, &str); 9] = [
        ("cut in the middle", file[..file.len() / 2].to_vec(), "backup_cut"),
        ("cut before its end", whole(all[..end].to_vec()), "backup_cut"),
        ("a chunk left out", whole(without_a_chunk), "backup_refused"),
        ("two chunks in another order", whole(swapped), "backup_refused"),
        ("a chunk under another's name", whole(renamed), "backup_refused"),
        ("the list of another backup", whole(other_list), "backup_refused"),
        ("the vault of another backup", whole(other_vault), "backup_refused"),
        ("the end of another backup", whole(other_end), "backup_refused"),
        ("a changed byte in a chunk", whole(changed), "backup_refused"),
    ];
    for (what, bytes, code) in damaged {
        let error = read(&restored, &old, &bytes)
            .await
            .err()
            .unwrap_or_else(|| panic!("{what} was taken"));
        assert_eq!(error.code(), code, "{what}: {error}");
        assert_eq!(durable(&new, &restored), before, "{what}");
    }
    // Another key does not open it, nor does a slot that it does not have.
    let mut incoming = Incoming::start(&restored.vault, restored.cell.home()).await;
    incoming.write(&file[..file.len().min(400_000)]).await.unwrap();
    let wrong = incoming.open(old.slot(), &vault::Kek::random()).await;
    assert_eq!(wrong.unwrap_err().code(), "wrong_key");
    let wrong = incoming.open(SlotId::new(), old.kek()).await;
    assert_eq!(wrong.unwrap_err().code(), "wrong_key");
    assert!(incoming.apply().await.is_err());
    drop(incoming);
    // What was there is still there and still works.
    new.agent.write("notes.txt", "as ever");
    restored.cell.saved().await.unwrap();
    restored.kill().await;
    keeper.kill().await;
}

#[tokio::test]
async fn promise_05_a_backup_restores_or_is_refused_with_a_sentence_when_the_vaults_key_is_changed_meanwhile() {
    let (old, keeper) = full().await;
    let rotate = async || keeper.vault.rotate(&FreshProof::given(old.slot())).await.unwrap();
    // Changed while the backup is read: what would not open is not handed out as one.
    let mut outgoing = Outgoing::start(&keeper.vault, keeper.cell.home()).await.unwrap();
    rotate().await;
    let refused = outgoing.read().await.unwrap_err();
    assert_eq!(refused.code(), "key_changed");
    assert!(refused.to_string().contains("make it again"), "{refused}");
    drop(outgoing);
    // Begun right after the change, before or after the rest was sealed anew: it opens.
    let file = backup_of(&keeper).await;
    let mut new = Bench::new();
    let restored = new.keeper().await;
    new.unlock(&restored).await;
    read(&restored, &old, &file).await.unwrap();
    // Begun at the very moment of one: either way it is whole.
    keeper.cell.saved().await.unwrap();
    let settled = async {
        while keeper.vault.unfinished_rotation().unwrap().is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), settled)
        .await
        .unwrap();
    let (backup, ()) = tokio::join!(
        async {
            let mut outgoing = Outgoing::start(&keeper.vault, keeper.cell.home()).await?;
            let mut file = Vec::new();
            while !outgoing.done() {
                file.extend(outgoing.read().await?);
            }
            Ok::<_, BackupFailure>(file)
        },
        rotate()
    );
    match backup {
        Ok(file) => drop(read(&restored, &old, &file).await.unwrap()),
        Err(error) => assert_eq!(error.code(), "key_changed", "{error}"),
    }
    keeper.kill().await;
    restored.kill().await;
}

#[tokio::test]
async fn promise_05_a_keeper_that_dies_right_after_the_write_of_a_restore_has_all_of_it() {
    let (old, keeper) = full().await;
    let file = backup_of(&keeper).await;
    keeper.kill().await;
    let mut new = Bench::new();
    let restored = new.ready().await;
    new.agent.write("notes.txt", "to be replaced");
    restored.cell.saved().await.unwrap();
    let mut incoming = read(&restored, &old, &file).await.unwrap();
    // Vault and home are replaced by one write; the keeper ends before it has done anything else.
    incoming.apply().await.unwrap();
    drop(incoming);
    restored.kill().await;
    assert_eq!(new.sealed("notes.txt").await.unwrap(), "what the agent knows");
}

#[tokio::test]
async fn nothing_that_a_backup_needs_is_deleted_while_it_is_read() {
    let (old, keeper) = full().await;
    let mut outgoing = Outgoing::start(&keeper.vault, keeper.cell.home()).await.unwrap();
    old.agent.write("large.txt", "short now");
    keeper.cell.saved().await.unwrap();
    assert!(
        keeper.cell.home().tidy().await > 0,
        "the old chunks are garbage, and stay"
    );
    let mut file = Vec::new();
    while !outgoing.done() {
        file.extend(outgoing.read().await.unwrap());
    }
    drop(outgoing);
    assert_eq!(keeper.cell.home().tidy().await, 0);
    let mut new = Bench::new();
    let restored = new.keeper().await;
    new.unlock(&restored).await;
    read(&restored, &old, &file).await.unwrap();
    keeper.kill().await;
    restored.kill().await;
}

/// A backup as the first version of the format wrote it, with a key that opens it. With `HOLDFAST_WRITE_VECTORS` set, one that is missing is made.
#[tokio::test]
async fn a_backup_of_the_first_version_still_restores() {
    #[derive(serde::Serialize, serde::Deserialize)]
    struct Key {
        slot: SlotId,
        #[serde(with = "protocol::b64")]
        kek: Vec<u8>,
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backup/fixtures");
    let (backup, key) = (folder.join("v1.hfb"), folder.join("v1.json"));
    if std::env::var_os("HOLDFAST_WRITE_VECTORS").is_some() && !backup.exists() {
        let mut old = Bench::new();
        let keeper = old.ready().await;
        keeper
            .vault
            .put_record("chat/conversation/one", b"first")
            .await
            .unwrap();
        old.agent.write("notes.txt", "what the agent knows");
        old.agent.write("large.txt", &noise(1, 40_000));
        keeper.cell.saved().await.unwrap();
        let (slot, kek) = (old.slot(), old.kek().expose().to_vec());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(&backup, backup_of(&keeper).await).unwrap();
        std::fs::write(&key, serde_json::to_vec_pretty(&Key { slot, kek }).unwrap()).unwrap();
        keeper.kill().await;
    }
    let key: Key = serde_json::from_slice(&std::fs::read(key).unwrap()).unwrap();
    let kek = vault::Kek::copy_from(&key.kek).unwrap();
    let mut new = Bench::new();
    let restored = new.keeper().await;
    new.unlock(&restored).await;
    let mut incoming = Incoming::start(&restored.vault, restored.cell.home()).await;
    for part in std::fs::read(backup).unwrap().chunks(300_000) {
        incoming.write(part).await.unwrap();
        if incoming.progress() == Progress::NeedsKey {
            incoming.open(key.slot, &kek).await.unwrap();
        }
    }
    incoming.apply().await.unwrap();
    drop(incoming);
    restored.kill().await;
    assert_eq!(new.sealed("notes.txt").await.unwrap(), "what the agent knows");
    assert_eq!(new.agent.read("large.txt").unwrap(), noise(1, 40_000));
}

fn sections(file: &[u8]) -> Vec<Vec<u8>> {
    let mut sections = Vec::new();
    let mut rest = &file[16..];
    while !rest.is_empty() {
        let length = 5 + u32::from_be_bytes(rest[1..5].try_into().unwrap()) as usize;
        sections.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    sections
}
