//! Titles of conversations: what a person may call them, and what they are called until then.

use protocol::channel::ChannelError;
use protocol::limits::TITLE_CHARS;

/// Longest title that is made from a message, in characters.
const AUTO_CHARS: usize = 60;

/// A title as a person gave it, without blanks around it and control characters in it.
pub(super) fn given(title: &str) -> Result<String, ChannelError> {
    let title = title.split(char::is_control).collect::<Vec<_>>().join(" ");
    let title = title.trim();
    if title.is_empty() {
        return Err(ChannelError::new("title_empty", "Give the conversation a title."));
    }
    if title.chars().count() > TITLE_CHARS {
        let message = format!("The title is too long: at most {TITLE_CHARS} characters.");
        return Err(ChannelError::new("title_too_long", message));
    }
    Ok(title.to_owned())
}

/// A title from the first words of a conversation.
pub(super) fn automatic(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or_default();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= AUTO_CHARS {
        return line;
    }
    let start: String = line.chars().take(AUTO_CHARS).collect();
    // Whole words, unless the first is very long.
    let end = start
        .rfind(' ')
        .filter(|end| *end > AUTO_CHARS / 3)
        .unwrap_or(start.len());
    format!("{}…", start[..end].trim_end_matches([',', '.', ';', ':', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_made_of_the_first_words() {
        assert_eq!(automatic("  \n Plan a trip,  please\nto Rome"), "Plan a trip, please");
        let long = automatic(&"word ".repeat(40));
        assert!(
            long.ends_with("word…") && long.chars().count() <= AUTO_CHARS + 1,
            "{long}"
        );
        assert_eq!(automatic(&"x".repeat(99)).chars().count(), AUTO_CHARS + 1);
    }

    #[test]
    fn a_title_that_is_empty_or_too_long_is_refused() {
        assert_eq!(given(" \n ").unwrap_err().code, "title_empty");
        assert_eq!(given(&"é".repeat(TITLE_CHARS + 1)).unwrap_err().code, "title_too_long");
        assert_eq!(given(&"é".repeat(TITLE_CHARS)).unwrap().chars().count(), TITLE_CHARS);
        assert_eq!(given(" a\nb ").unwrap(), "a b");
    }
}
