//! A request of either protocol, reduced to what the script looks at.

/// One message as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    Person(String),
    /// What the model said before; `calls` tools were called in it.
    Model {
        calls: usize,
    },
    ToolResult(String),
}

/// The messages since the last finished answer.
pub(super) fn current(turns: &[Turn]) -> &[Turn] {
    let start = turns
        .iter()
        .rposition(|turn| matches!(turn, Turn::Model { calls: 0 }))
        .map_or(0, |last| last + 1);
    &turns[start..]
}
