//! What keepers ask of who knows the people, and tell of for the audit log, on its way to management and back.

use std::sync::Arc;

use cells::{CellQuestion, Question};
use futures::StreamExt as _;
use futures::stream;
use management::Management;
use protocol::control::{GONE, NO_TIE, Outcome};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

/// Questions that wait for management: a keeper that asks another is told to ask again.
const QUESTIONS: usize = 1024;
/// Of them, those that management answers at once.
const AT_ONCE: usize = 4;

/// Management's end.
pub struct Questions(mpsc::Receiver<CellQuestion>);

/// The two ends.
pub fn questions() -> (mpsc::Sender<CellQuestion>, Questions) {
    let (sender, receiver) = mpsc::channel(QUESTIONS);
    (sender, Questions(receiver))
}

/// Management is asked until this is dropped.
pub type Asking = AbortOnDropHandle<()>;

impl Questions {
    /// Asks management from now on.
    pub fn ask(self, management: &Arc<Management>) -> Asking {
        AbortOnDropHandle::new(tokio::spawn(self.run(Arc::clone(management))))
    }

    async fn run(self, management: Arc<Management>) {
        let questions = stream::unfold(self.0, async |mut questions| {
            questions.recv().await.map(|question| (question, questions))
        });
        questions
            .for_each_concurrent(AT_ONCE, |question| answer(&management, question))
            .await;
    }
}

async fn answer(management: &Management, question: CellQuestion) {
    let CellQuestion {
        cell,
        tenant,
        question,
        answer,
    } = question;
    let answered = match question {
        Question::Tie(tie) => {
            let stands = management.group_tie(cell, tenant, &tie).await;
            stands.map(|stands| yes_or(stands, NO_TIE, "not both of them are in this group any more"))
        }
        Question::Stands(mailbox) => {
            let stands = management.stands(tenant, &mailbox).await;
            stands.map(|stands| yes_or(stands, GONE, "they are suspended or removed"))
        }
        Question::Deeds(deeds) => management.deeds_done(cell, tenant, deeds).await.map(|()| Outcome::Ok),
    };
    answer.say(answered.unwrap_or_else(|error| {
        warn!(%cell, %error, "a keeper's question could not be answered");
        Outcome::Error {
            code: "unavailable".to_owned(),
            message: "the database does not answer: ask again".to_owned(),
        }
    }));
}

fn yes_or(yes: bool, code: &str, message: &str) -> Outcome {
    match yes {
        true => Outcome::Ok,
        false => Outcome::Error {
            code: code.to_owned(),
            message: message.to_owned(),
        },
    }
}
