//! What the agent says to its keeper, what it asks of the world, and what providers answer.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Component, Path};

use keeper::{broker, chat, gateway};
use protocol::template::AgentTemplate;

use crate::Target;

pub const OPENCLAW: Target = Target {
    name: "openclaw",
    run: |bytes| {
        if let Ok(text) = std::str::from_utf8(bytes)
            && let Some(history) = gateway::fuzzing::frame(text)
        {
            chat::fuzzing::shown(&history);
        }
    },
    seeds: || {
        [
            r#"{"type":"event","event":"chat","payload":{"state":"delta","sessionKey":"s","runId":"r","deltaText":"word","replace":false}}"#,
            r#"{"type":"event","event":"chat","payload":{"state":"final","sessionKey":"s","runId":"r","message":{"content":[{"type":"text","text":"word"}]},"stopReason":"stop"}}"#,
            r#"{"type":"event","event":"agent","payload":{"stream":"tool","sessionKey":"s","runId":"r","data":{"toolCallId":"c","name":"exec","phase":"result","result":{"content":[{"text":"out"}]},"isError":false}}}"#,
            r#"{"type":"event","event":"shutdown","payload":{"reason":"update","restartExpectedMs":1000}}"#,
            r#"{"type":"res","id":"1","ok":true,"payload":{"sessionInfo":{"hasActiveRun":true,"activeRunIds":["r"]},"inFlightRun":{"runId":"r","text":"so far"},"messages":[{"role":"user","content":"hello","timestamp":1,"idempotencyKey":"k:user","__openclaw":{"id":"1"}},{"role":"assistant","content":[{"type":"text","text":"word"},{"type":"toolCall","id":"c","name":"exec","arguments":{"command":"ls"}}],"timestamp":2,"stopReason":"toolUse","__openclaw":{"id":"2","runId":"k"}},{"role":"toolResult","toolCallId":"c","toolName":"exec","content":[{"type":"text","text":"out"}],"timestamp":3,"__openclaw":{"id":"3","runId":"k"}},{"role":"custom","customType":"run-failed-before-reply","content":"no","timestamp":4,"__openclaw":{"id":"4"}}]}}"#,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};

/// The parts of a text that stand on lines of their own.
fn lines(bytes: &[u8]) -> Option<Vec<&str>> {
    Some(std::str::from_utf8(bytes).ok()?.split('\n').collect())
}

pub const BROKER_PATH: Target = Target {
    name: "broker_path",
    run: |bytes| {
        if let Some([base, path, query @ ..]) = lines(bytes).as_deref() {
            broker::fuzzing::path(base, path, query.first().copied());
            broker::fuzzing::path("https://a.example/x/v1", base, Some(path));
        }
    },
    seeds: || {
        [
            "https://a.example/v1\n/v1/chat/completions\na=b",
            "http://[::1]:8080/p/v1/\n/v1/messages/count_tokens",
            "/v1/chat/completions/../../files\n#x",
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};

pub const PROVIDER_ANSWER: Target = Target {
    name: "provider_answer",
    run: |bytes| {
        const KEY: &str = "sk-12121-12121212";
        // The first eight bytes say where the stream is cut; 0xff stands for the key, that it be found sometimes.
        let Some((cuts, coded)) = bytes.split_first_chunk::<8>() else {
            return;
        };
        let mut answer = Vec::new();
        for byte in coded {
            match byte {
                0xff => answer.extend_from_slice(KEY.as_bytes()),
                0xfe => answer.extend_from_slice(&KEY.as_bytes()[..9]),
                byte => answer.push(*byte),
            }
        }
        let cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) * answer.len() / 256).collect();
        broker::fuzzing::answer(KEY, &answer, &cuts);
    },
    seeds: || {
        let seed = |text: &[u8]| [&[10, 20, 30, 40, 50, 60, 70, 80], text].concat();
        vec![
            seed(br#"{"choices":[{"message":{"role":"assistant","content":"ok"}}]}"#),
            seed(br#"{"content":[{"type":"text","text":"ok"}]}"#),
            seed(br#"{"error":{"message":"Incorrect API key"}}"#),
            seed(b"data: {\"choices\":[{\"delta\":{\"content\":\"o\"}}]}\n\ndata: \xfe\xff\xff\n\ndata: [DONE]\n\n"),
        ]
    },
};

/// Whether the standard library, or a look at what an address carries, says that it is not public.
fn plainly_not_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_broadcast()
                || v4.is_unspecified()
                || v4.is_documentation()
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unique_local()
                || v6.is_unicast_link_local()
                || v6.to_ipv4().is_some()
        }
    }
}

pub const ADDRESS: Target = Target {
    name: "address",
    run: |bytes| {
        let v4 = bytes.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets).into());
        let v6 = bytes.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).into());
        for address in [v4, v6].into_iter().flatten() {
            if plainly_not_public(address) {
                assert!(keeper::egress::refusal(address).is_some(), "{address} is let through");
            }
        }
    },
    seeds: || vec![vec![169, 254, 169, 254], vec![0; 16], vec![0xfe; 16]],
};

/// What whoever runs the platform chose for an agent, and what the keeper writes into its home.
pub const TEMPLATE: Target = Target {
    name: "template",
    run: |bytes| {
        let Ok(template) = serde_json::from_slice::<AgentTemplate>(bytes) else {
            return;
        };
        if template.check().is_err() {
            return;
        }
        for skill in &template.skills {
            let mut parts = Path::new(&skill.name).components();
            assert!(
                matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)),
                "a skill is one folder"
            );
        }
        let text = serde_json::to_vec(&template).expect("what was read can be written");
        let again: AgentTemplate = serde_json::from_slice(&text).expect("what was written can be read");
        assert_eq!(again, template);
        assert_eq!(again.version(), template.version());
    },
    seeds: || {
        [
            r#"{"name":"writer"}"#,
            r##"{"name":"own-1","persona":"# You write\n","skills":[{"name":"edit","document":"---\nname: edit\ndescription: \"What for\"\n---\n\nDo it.\n"}],"tools":{"allow":["group:fs"],"deny":["exec","mcp__*"]}}"##,
        ]
        .map(|text| text.as_bytes().to_vec())
        .to_vec()
    },
};
