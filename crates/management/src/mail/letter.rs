//! What our mails say.

use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, SinglePart};
use protocol::control::NoticeKind;

use super::MailError;
use crate::limits;
use crate::person::Email;

/// A mail to one person. It carries a link that signs in: no `Debug`, and never logged.
pub struct Letter {
    to: lettre::Address,
    subject: String,
    text: String,
}

impl Letter {
    /// As a message. `encoding` is quoted-printable for mail servers; the outbox keeps the text readable.
    pub(super) fn message(&self, from: &Mailbox, encoding: ContentTransferEncoding) -> Result<Message, MailError> {
        let text = self.text.replace('\n', "\r\n");
        let body = match encoding {
            // People copy links out of such a file. Its lines are short of the 998 octets that a mail's may have (RFC 5322, section 2.1.1).
            ContentTransferEncoding::EightBit => Body::dangerous_pre_encoded(text.into_bytes(), encoding),
            encoding => Body::new_with_encoding(text, encoding).unwrap_or_else(Body::new),
        };
        let part = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(body);
        let domain = from.email.domain();
        Message::builder()
            .from(from.clone())
            .to(Mailbox::new(None, self.to.clone()))
            .subject(&*self.subject)
            .message_id(Some(format!("<{}@{domain}>", uuid::Uuid::new_v4())))
            .singlepart(part)
            .map_err(MailError::Message)
    }
}

/// The mail with a link for each organisation that the address is in, and for each that it may join.
pub(crate) fn sign_in(to: &Email, links: &[(String, String)], joins: &[(String, String)]) -> Option<Letter> {
    let listed = |links: &[(String, String)]| match links {
        [(_, link)] => format!("{link}\n"),
        several => {
            let lines: Vec<_> = several
                .iter()
                .map(|(organisation, link)| format!("{organisation}:\n{link}\n"))
                .collect();
            lines.join("\n")
        }
    };
    let subject = match (links, joins) {
        ([], []) => return None,
        ([(organisation, _)], _) => format!("Sign in to {organisation}"),
        ([], [(organisation, _)]) => format!("Join {organisation}"),
        _ => "Sign in to Holdfast".to_owned(),
    };
    let mut parts = Vec::new();
    if !links.is_empty() {
        let minutes = limits::SIGN_IN_LINK_LIFE.as_secs() / 60;
        let links = listed(links);
        parts.push(format!(
            "open this link to sign in. It works once, for {minutes} minutes:\n\n{links}"
        ));
    }
    if !joins.is_empty() {
        let minutes = limits::JOIN_LINK_LIFE.as_secs() / 60;
        let names: Vec<_> = joins.iter().map(|(organisation, _)| organisation.as_str()).collect();
        let (names, links) = (names.join(", "), listed(joins));
        parts.push(format!(
            "your address may join {names}. Open this link to do so. It works once, for {minutes} minutes:\n\n{links}"
        ));
    }
    let text = format!(
        "Hello,\n\n{}\n\
         If you did not ask for it, ignore this mail: nobody can sign in without the link.\n",
        parts.join("\n")
    );
    Letter::to(to, subject, text)
}

/// Tells somebody who manages an organisation that somebody wants to join it.
pub(crate) fn join_asked(to: &Email, organisation: &str, name: &str, email: &str, page: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\n{name} ({email}) wants to join {organisation}. The address is theirs; whether they belong there is yours to \
         say. Until\nthen they can do nothing:\n\n{page}\n"
    );
    Letter::to(to, format!("{name} wants to join {organisation}"), text)
}

/// Tells somebody that they are in.
pub(crate) fn join_approved(to: &Email, organisation: &str, page: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\nyou are in {organisation} now and get an agent of your own. Sign in here with this address:\n\n{page}\n"
    );
    Letter::to(to, format!("Welcome to {organisation}"), text)
}

/// Tells somebody that they are not.
pub(crate) fn join_refused(to: &Email, organisation: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\nyou asked to join {organisation}. Somebody who manages it has said no.\n\n\
         If you think that this is a mistake, speak with them: they can invite you.\n"
    );
    Letter::to(to, format!("About {organisation}"), text)
}

/// The mail that invites somebody.
pub(crate) fn invitation(to: &Email, organisation: &str, invited_by: &str, link: &str) -> Option<Letter> {
    let days = limits::INVITATION_LIFE.as_secs() / 86_400;
    let text = format!(
        "Hello,\n\n{invited_by} invites you to {organisation} on Holdfast, where you get an agent of your own. What you tell it \
         and the keys\nyou give it are yours: the people who run the server cannot read them.\n\n\
         Open this link to join. It works once, for {days} days:\n\n{link}\n\n\
         If you do not know what this is about, ignore this mail.\n"
    );
    Letter::to(to, format!("{invited_by} invites you to {organisation}"), text)
}

/// The mail that invites somebody to own a new organisation.
pub(crate) fn owner_invitation(to: &Email, organisation: &str, link: &str) -> Option<Letter> {
    let days = limits::INVITATION_LIFE.as_secs() / 86_400;
    let text = format!(
        "Hello,\n\nwhoever runs this Holdfast server has made the organisation {organisation}, and you are to own it: you invite people and \
         decide\nwhat holds for them. You and they get an agent each. What you tell it and the keys you give it are yours: the people who \
         run the server\ncannot read them.\n\nOpen this link to begin. It works once, for {days} days:\n\n{link}\n\n\
         If you do not know what this is about, ignore this mail.\n"
    );
    Letter::to(to, format!("{organisation} on Holdfast is yours"), text)
}

/// Tells somebody that their second factors are gone.
pub(crate) fn factors_reset(to: &Email, by: &str, organisation: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\n{by} has reset your second factors at {organisation}: your authenticator app, your passkeys for signing in and your \
         backup codes\ndo not work any more, and you were signed out everywhere. Your vault and what is in it are as they were.\n\n\
         Sign in with a link by mail, and set a second factor up again under \"Signing in\".\n\n\
         If you did not ask for this, sign in now, look at where you are signed in, and speak with {by}.\n"
    );
    Letter::to(to, "Your second factors were reset".to_owned(), text)
}

/// Tells the owner of a vault that their contacts are being asked to open it.
pub(crate) fn recovery_asked(to: &Email, organisation: &str, page: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\nsomebody who is signed in as you at {organisation} has asked your recovery contacts to help open your vault.\n\n\
         If that was you, read your contacts the digits that your page shows.\n\
         If it was not you, stop it now, and tell your contacts:\n\n{page}\n"
    );
    Letter::to(to, "Somebody asks to open your vault".to_owned(), text)
}

/// Asks a contact to look.
pub(crate) fn recovery_help(to: &Email, owner: &str, page: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\n{owner} seems to be locked out of their vault and asks for your part of its recovery.\n\n\
         Speak with {owner}, by phone or face to face, before you do anything: whoever has their mail could have asked. Then look \
         here:\n\n{page}\n"
    );
    Letter::to(to, format!("{owner} asks for your help"), text)
}

/// Tells the owner of a vault that something waits for it. What, and from whom, nobody knows who could write it here.
pub(crate) fn something_waits(to: &Email, organisation: &str, page: &str) -> Option<Letter> {
    let text = format!(
        "Hello,\n\nsomething from another vault waits for yours at {organisation}: another agent may be asking you for something. What \
         it is,\nonly your vault can read. It waits for a week at most. Sign in and unlock your vault to see it:\n\n{page}\n\n\
         You get at most one such mail a day. Those who own {organisation} decide whether such mails are sent.\n"
    );
    Letter::to(to, "Something waits for your vault".to_owned(), text)
}

/// Tells somebody what waits for them while they are not there, of which kinds. What it is, nobody knows who could write it here. `page` gives
/// the address of one.
pub(crate) fn waits_for_owner(
    to: &Email,
    organisation: &str,
    kinds: &[NoticeKind],
    page: impl Fn(&'static str) -> String,
) -> Option<Letter> {
    let every = limits::APPROVAL_MAIL_EVERY.as_secs() / 60;
    let most_pressing = kinds.first()?;
    let place = match most_pressing {
        NoticeKind::Week => "activity",
        _ => "inbox",
    };
    let subject = match most_pressing {
        NoticeKind::Locked => "Your vault was locked",
        NoticeKind::DecidedElsewhere => "A command ran that you had not decided about",
        NoticeKind::Paused => "Calls of a service were paused",
        NoticeKind::Agent => "Your agent waits for your answer",
        NoticeKind::Second => "Somebody asks you to agree",
        NoticeKind::Seconded => "A second person has answered",
        NoticeKind::Week => "Your week in numbers",
    };
    let said: Vec<_> = kinds.iter().map(|kind| waits(*kind, organisation)).collect();
    let text = format!(
        "Hello,\n\n{}\n\nWhat it is, only your vault can show. Sign in and look into your {place}:\n\n{}\n\n\
         You get at most one such mail in {every} minutes, but for alarms and one a week, and none while you are there. You can turn them off in your \
         inbox.\n",
        said.join("\n\n"),
        page(place)
    );
    Letter::to(to, subject.to_owned(), text)
}

/// What is said of one kind.
fn waits(kind: NoticeKind, organisation: &str) -> String {
    match kind {
        NoticeKind::Locked => format!(
            "your vault at {organisation} was locked: your agent called several services far more often than usual. It does nothing \
             until you\nunlock it, and these calls stay paused until you let them go on."
        ),
        NoticeKind::DecidedElsewhere => format!(
            "your agent at {organisation} ran a command that you had not allowed: something inside its cell allowed it, before you answered \
             or\nwithout your being asked. What is known of it stands in your inbox and your activity. That cell holds none of your keys. \
             Look at what\nyour agent did, and lock your vault if you cannot explain it."
        ),
        NoticeKind::Paused => format!(
            "a service in your vault at {organisation} was called far more often than usual, by your agent or by somebody with whom you \
             share it.\nThese calls are paused until you let them go on."
        ),
        NoticeKind::Agent => format!(
            "your agent at {organisation} wants to do something that it may not do without your word, and waits for your answer. It \
             waits for half\nan hour. Without an answer it is not done."
        ),
        NoticeKind::Second => format!(
            "somebody at {organisation} has chosen you as the second person for what their agent does, has allowed something, and asks \
             whether you\nagree. It waits for a day. Without an answer it is not done."
        ),
        NoticeKind::Seconded => format!(
            "a second person has answered what you allowed your agent at {organisation}, and it was not done yet. If your agent has \
             stopped waiting,\ntell it to go on within half an hour."
        ),
        NoticeKind::Week => format!(
            "what your agent did with your services at {organisation} in the last week, and others with what you share, stands in numbers\n\
             under Activity. You are told of it once a week."
        ),
    }
}

/// Tells of something that was done. What it says is in the audit log, too.
pub(crate) fn alert(to: &Email, organisation: &str, what: &str, times: i32, last: &str, page: &str) -> Option<Letter> {
    let times = match times {
        1 => String::new(),
        more => format!("{more} times; the last one:\n\n"),
    };
    let text = format!(
        "Hello,\n\n{what} at {organisation}.\n\n{times}{last}\n\nThe audit log has the rest:\n\n{page}\n\n\
         You get this because somebody who manages {organisation} wants this address to be told. There are no links that sign in \
         in\nsuch mails.\n"
    );
    Letter::to(to, format!("{what} at {organisation}"), text)
}

impl Letter {
    fn to(to: &Email, subject: String, text: String) -> Option<Self> {
        Some(Self {
            to: to.as_str().parse().ok()?,
            subject,
            text,
        })
    }
}
