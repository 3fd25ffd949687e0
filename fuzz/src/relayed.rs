//! What goes between keepers and the relay, and through it: frames, epochs of revocations, envelopes.

use protocol::relay::MailboxKey;
use protocol::relay::epoch::{Epoch, FIRST, PURPOSE, SignedEpoch};
use protocol::relay::frame::{MailboxFrame, RelayFrame};
use uuid::Uuid;
use vault::{Identity, Place, open_envelope, seal_envelope};

use crate::Target;

const ID: [u8; 16] = [2; 16];

fn identity(number: u8) -> Identity {
    Identity::decode(&[&[1], [number; 64].as_slice()].concat()).expect("a version and two secrets")
}

pub const FRAMES: Target = Target {
    name: "relay_frames",
    run: |bytes| {
        if let Ok(frame) = MailboxFrame::decode(bytes) {
            assert_eq!(frame.encode(), bytes, "a frame has one form");
        }
        if let Ok(frame) = RelayFrame::decode(bytes) {
            assert_eq!(frame.encode(), bytes, "a frame has one form");
        }
    },
    seeds: || {
        let (id, to) = (Uuid::from_bytes(ID).into(), MailboxKey([3; 32]));
        let sealed = b"sealed";
        vec![
            MailboxFrame::Send { to, id, sealed }.encode(),
            MailboxFrame::Ack(vec![1, 2]).encode(),
            RelayFrame::Accepted(vec![id]).encode(),
            RelayFrame::Returned { number: 1, id, to }.encode(),
        ]
    },
};

pub const EPOCH: Target = Target {
    name: "relay_epoch",
    run: |bytes| {
        if let Ok(epoch) = SignedEpoch::decode(bytes) {
            assert_eq!(epoch.encode(), bytes, "an epoch has one form");
        }
    },
    seeds: || {
        let issuer = identity(3);
        let epoch = Epoch {
            issuer: MailboxKey(issuer.public().signing_key()),
            number: 1,
            previous: FIRST,
            at: 5,
            revoked: vec![Uuid::from_bytes(ID).into()],
        };
        let signature = issuer.sign_for(PURPOSE, &epoch.to_sign());
        vec![SignedEpoch::new(epoch, signature).expect("it is signed").encode()]
    },
};

pub const ENVELOPE: Target = Target {
    name: "relay_envelope",
    run: |bytes| {
        if let Ok(opened) = open_envelope(identity(4).agreement(), &ID, bytes) {
            assert_eq!(opened.sender, identity(3).public(), "nobody else ever sealed to it");
        }
    },
    seeds: || {
        let place = Place {
            stream: 1,
            sequence: 1,
            base: 1,
            previous: [0; 32],
            part: 0,
            parts: 1,
        };
        let to = identity(4).public();
        vec![seal_envelope(&identity(3), to.agreement(), &ID, 1, &place, b"content", &[5; 32]).expect("it is small")]
    },
};
