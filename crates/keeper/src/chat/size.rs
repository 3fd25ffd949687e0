//! Keeps what goes into a frame small enough: long texts are cut where a character ends, and say so.

use protocol::chat::{Message, Part};

use crate::limits::{MESSAGE_SHOWN_BYTES, PAGE_BYTES};

/// At most `most` bytes from the start.
pub(super) fn cut(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let end = floor(text, most);
    format!("{}\n… ({} more bytes)", &text[..end], text.len() - end)
}

/// At most `most` bytes from the end.
pub(super) fn tail(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut start = text.len() - most;
    while !text.is_char_boundary(start) {
        start += 1;
    }
    format!("({start} bytes before) …\n{}", &text[start..])
}

/// A text in pieces of at most `most` bytes.
pub(super) fn pieces(text: &str, most: usize) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > most {
        let (piece, after) = rest.split_at(floor(rest, most));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

fn floor(text: &str, most: usize) -> usize {
    let mut end = most;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}

/// A message that is too large for a frame is shortened: what tools put out first, then what was said.
pub(super) fn fit(mut message: Message) -> Message {
    for most in [8 * 1024, 1024, 128] {
        if bytes(&message) <= MESSAGE_SHOWN_BYTES {
            return message;
        }
        for part in &mut message.parts {
            if let Part::Tool { input, output, .. } = part {
                *input = cut(input, most);
                *output = cut(output, most);
            }
        }
    }
    let mut left = MESSAGE_SHOWN_BYTES / 2;
    for part in &mut message.parts {
        if let Part::Text { text } = part {
            *text = cut(text, left);
            left = left.saturating_sub(text.len());
        }
    }
    if bytes(&message) > MESSAGE_SHOWN_BYTES {
        message.parts.retain(|part| matches!(part, Part::Text { .. }));
    }
    message
}

/// The size of a message in a frame.
pub(super) fn bytes(message: &Message) -> usize {
    serde_json::to_vec(message).map_or(usize::MAX, |json| json.len())
}

/// The last messages that fit into one answer, and whether there are older ones.
pub(super) fn page(messages: Vec<Message>) -> (Vec<Message>, bool) {
    let mut left = PAGE_BYTES;
    let mut page: Vec<Message> = Vec::new();
    let count = messages.len();
    for message in messages.into_iter().rev() {
        let message = fit(message);
        let size = bytes(&message);
        if size > left && !page.is_empty() {
            break;
        }
        left = left.saturating_sub(size);
        page.push(message);
    }
    page.reverse();
    let more = page.len() < count;
    (page, more)
}

#[cfg(test)]
mod tests {
    use protocol::chat::{Role, Status, ToolState};
    use protocol::limits::FRAME_BYTES;

    use super::*;

    fn message(parts: Vec<Part>) -> Message {
        Message {
            id: "a-1".into(),
            role: Role::Assistant,
            at: 1,
            status: Status::Done,
            key: None,
            error: None,
            parts,
        }
    }

    #[test]
    fn texts_are_cut_where_a_character_ends() {
        assert_eq!(cut("aé", 2), "a\n… (2 more bytes)");
        assert_eq!(tail("éa", 2), "(2 bytes before) …\na");
        assert_eq!(pieces("aéb", 2), ["a", "é", "b"]);
        assert_eq!(pieces("", 2), [""]);
    }

    #[test]
    fn any_message_fits_into_a_frame() {
        let tool = |n: usize| Part::Tool {
            id: n.to_string(),
            name: "exec".into(),
            input: "\u{1}".repeat(32 * 1024),
            output: "\"".repeat(32 * 1024),
            state: ToolState::Ok,
        };
        let mut parts: Vec<Part> = (0..100).map(tool).collect();
        parts.push(Part::Text {
            text: "\n".repeat(4 * FRAME_BYTES),
        });
        let (page, more) = page(vec![message(parts.clone()), message(parts)]);
        assert!(more);
        assert!(page.iter().map(bytes).sum::<usize>() < FRAME_BYTES);
    }

    #[test]
    fn a_page_holds_the_newest_messages() {
        let one = |n: usize| {
            message(vec![Part::Text {
                text: n.to_string().repeat(100 * 1024),
            }])
        };
        let (page, more) = page((0..10).map(one).collect());
        assert!(more && page.len() < 10);
        assert_eq!(page.last(), Some(&one(9)));
    }
}
