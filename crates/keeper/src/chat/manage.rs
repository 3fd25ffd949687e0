//! The list of conversations: make, rename, delete, and stopping a turn.

use std::sync::Arc;

use protocol::channel::ChannelError;
use protocol::chat::{ChatEventKind, Conversation as Row, Status};
use protocol::functions::CallResult;
use uuid::Uuid;

use super::ahead::Ahead;
use super::answer::Answer;
use super::conversation::Conversation;
use super::journal::{Changes, ConversationRecord, Stage};
use super::{Chat, title, work};
use crate::limits::CONVERSATIONS;

impl Chat {
    /// All conversations, the one used last first.
    pub(super) fn list(&self) -> Result<Vec<Row>, ChannelError> {
        let all = self.all()?;
        let mut rows: Vec<Row> = all
            .iter()
            .map(|conversation| conversation.state())
            .filter(|state| !state.record.deleted)
            .map(|state| state.row())
            .collect();
        rows.sort_by(|a, b| b.updated.cmp(&a.updated).then_with(|| b.id.cmp(&a.id)));
        Ok(rows)
    }

    /// A new conversation, with the id that is asked for, or the one that has it; the agent hears of it with the first message.
    pub(super) async fn create(&self, title: Option<String>, id: Option<Uuid>) -> Result<Row, ChannelError> {
        // One after the other: what is asked for twice is made once.
        let _alone = self.inner.creating.lock().await;
        let id = id.unwrap_or_else(Uuid::now_v7).to_string();
        let is_there = self.loaded(&mut self.shelf())?.contains_key(&id);
        if is_there {
            return Ok(self.find(&id)?.state().row());
        }
        let now = self.inner.clock.now();
        let mut record = ConversationRecord::new(id, now);
        if let Some(title) = title {
            record.title = title::given(&title)?;
            record.named = true;
        }
        if self.all()?.len() >= CONVERSATIONS {
            let message = format!("There are {CONVERSATIONS} conversations already: delete one first.");
            return Err(ChannelError::new("too_many_conversations", message));
        }
        let mut changes = Changes::default();
        changes.put_conversation(&record);
        self.inner.journal.write(&mut changes).await?;
        let conversation = Arc::new(Conversation::new(record, Vec::new(), now));
        let row = conversation.state().row();
        let mut shelf = self.shelf();
        self.loaded(&mut shelf)?.insert(row.id.clone(), conversation);
        drop(shelf);
        self.list_changed();
        Ok(row)
    }

    /// Another title.
    pub(super) async fn rename(&self, conversation: &str, title: &str) -> Result<(), ChannelError> {
        let conversation = self.find(conversation)?;
        let title = title::given(title)?;
        let mut changes = Changes::default();
        let before = {
            let mut state = conversation.state();
            let title = std::mem::replace(&mut state.record.title, title);
            let named = std::mem::replace(&mut state.record.named, true);
            changes.put_conversation(&state.record);
            (title, named)
        };
        if let Err(error) = self.inner.journal.write(&mut changes).await {
            let mut state = conversation.state();
            (state.record.title, state.record.named) = before;
            return Err(error.into());
        }
        self.list_changed();
        Ok(())
    }

    /// Away from the list at once; out of the home as soon as the agent answers.
    pub(super) async fn delete(&self, conversation: &str) -> Result<(), ChannelError> {
        let conversation = self.find(conversation)?;
        let mut changes = Changes::default();
        {
            let mut state = conversation.state();
            state.record.deleted = true;
            changes.put_conversation(&state.record);
            for turn in &state.turns {
                changes.delete_turn(&conversation.id, &turn.record.key);
            }
        }
        if let Err(error) = self.inner.journal.write(&mut changes).await {
            conversation.state().record.deleted = false;
            return Err(error.into());
        }
        {
            let mut state = conversation.state();
            for turn in &mut state.turns {
                turn.pending = false;
            }
            if let Some(running) = &state.running {
                running.abort.notify_one();
            }
        }
        self.list_changed();
        self.work(&conversation);
        Ok(())
    }

    /// Takes a deleted conversation out of the home: the transcript, the archives that OpenClaw makes of it, and what its databases have left
    /// of either in their files.
    pub(super) async fn remove(&self, conversation: &Conversation) -> Result<(), ChannelError> {
        let under_way = self.inner.seat.turn_started();
        let ahead: Vec<Ahead> = {
            let mut state = conversation.state();
            state.turns.iter_mut().filter_map(|turn| turn.ahead.take()).collect()
        };
        for ahead in ahead {
            ahead.stopped().await;
        }
        let gateway = self.inner.seat.ready().await?;
        let archives = gateway
            .session_delete(&conversation.session)
            .await
            .map_err(work::gateway_failed)?;
        self.inner.seat.remove_files(archives).await?;
        self.inner.seat.scrub().await?;
        // Only a sealed home without it makes it gone; until then the record says that it is to be deleted.
        under_way.finished().await?;
        let mut changes = Changes::default();
        changes.delete_conversation(&conversation.id);
        for turn in &conversation.state().turns {
            changes.delete_turn(&conversation.id, &turn.record.key);
        }
        self.inner.journal.write(&mut changes).await?;
        if let Some(conversations) = &mut self.shelf().conversations {
            conversations.remove(&conversation.id);
        }
        Ok(())
    }

    /// What the client's functions came to that the agent calls in a turn.
    pub(super) fn results(&self, conversation: &str, turn: &str, results: &[CallResult]) -> Result<(), ChannelError> {
        let conversation = self.find(conversation)?;
        self.inner.functions.answer(&conversation.id, turn, results)?;
        self.inner.vault.touch();
        Ok(())
    }

    /// Stops a turn; one that waits is not begun. Nothing happens to one that is over.
    pub(super) async fn abort(&self, conversation: &str, turn: &str) -> Result<(), ChannelError> {
        let conversation = self.find(conversation)?;
        let mut record = {
            let mut state = conversation.state();
            if let Some(running) = state.running.as_ref().filter(|running| running.key == turn) {
                running.abort.notify_one();
                return Ok(());
            }
            match state.turn_mut(turn).filter(|known| known.pending) {
                None => return Ok(()),
                Some(known) => {
                    // It does not begin while that is written down.
                    known.pending = false;
                    known.record.clone()
                }
            }
        };
        record.stage = Stage::Ended {
            status: Status::Aborted,
            error: None,
            parts: Vec::new(),
        };
        let mut changes = Changes::default();
        changes.put_turn(&conversation.id, &record);
        let written = self.inner.journal.write(&mut changes).await;
        if let Some(known) = conversation.state().turn_mut(turn) {
            match &written {
                Ok(()) => known.record = record.clone(),
                Err(_) => known.pending = true,
            }
        }
        if let Err(error) = written {
            self.work(&conversation);
            return Err(error.into());
        }
        let message = Answer::default().message(turn, record.at, Status::Aborted);
        conversation.tell(
            turn,
            [ChatEventKind::Aborted {
                message: Some(message),
                saving: false,
            }],
        );
        self.list_changed();
        Ok(())
    }
}
