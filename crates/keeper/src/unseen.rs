//! Letters that a person who reads a text does not see, and that a model reads all the same: nothing that somebody else wrote is shown to a
//! person for their word with such letters in it.

/// Letters that a person does not see and a model reads, or that change the order of what is seen: directions, joints of no width, separators
/// of lines, tags and the supplement of variation selectors. What joins letters of some scripts, and emoji, stays.
pub(crate) fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// A letter of a text that a person sees, a tab or the end of a line.
pub(crate) fn is_plain(letter: char) -> bool {
    letter == '\n' || letter == '\t' || !letter.is_control() && !is_unseen(letter)
}
