//! Reads the usage out of a provider's answer while it passes: from the events of a stream, or from the whole JSON, of both protocols.

use serde::Deserialize;

use super::price::Tokens;
use crate::limits;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Usage {
    // OpenAI, chat completions and embeddings
    prompt_tokens: u64,
    completion_tokens: u64,
    prompt_tokens_details: Option<Details>,
    // Anthropic; OpenAI, responses
    input_tokens: u64,
    output_tokens: u64,
    input_tokens_details: Option<Details>,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Details {
    cached_tokens: u64,
}

#[derive(Deserialize)]
struct Inner {
    usage: Option<Usage>,
}

/// A whole answer, or one event of a stream: the usage stands in it, or in the message or response that it tells of.
#[derive(Deserialize)]
struct Told {
    usage: Option<Usage>,
    message: Option<Inner>,
    response: Option<Inner>,
}

impl Usage {
    fn tokens(&self) -> Tokens {
        let details = |details: &Option<Details>| details.as_ref().map_or(0, |details| details.cached_tokens);
        let within = details(&self.prompt_tokens_details) + details(&self.input_tokens_details);
        let input = self.prompt_tokens + self.input_tokens;
        Tokens {
            // OpenAI counts what was cached within the input, Anthropic beside it.
            input: input.saturating_sub(within),
            cached: within.min(input) + self.cache_read_input_tokens.unwrap_or(0),
            written: self.cache_creation_input_tokens.unwrap_or(0),
            output: self.completion_tokens + self.output_tokens,
        }
    }
}

/// Reads along.
pub(crate) struct UsageReader {
    stream: bool,
    line: Vec<u8>,
    /// The line or body is too long to be kept: what is in it is not known.
    too_long: bool,
    seen: Option<Tokens>,
}

impl UsageReader {
    pub fn new(stream: bool) -> Self {
        Self {
            stream,
            line: Vec::new(),
            too_long: false,
            seen: None,
        }
    }

    /// The next part of the answer.
    pub fn pass(&mut self, part: &[u8]) {
        if !self.stream {
            self.keep(part);
            return;
        }
        let mut rest = part;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.keep(&rest[..end]);
            self.event();
            rest = &rest[end + 1..];
        }
        self.keep(rest);
    }

    fn keep(&mut self, part: &[u8]) {
        if self.line.len() + part.len() > limits::USAGE_BYTES {
            self.too_long = true;
            self.line = Vec::new();
        }
        if !self.too_long {
            self.line.extend_from_slice(part);
        }
    }

    fn event(&mut self) {
        let line = std::mem::take(&mut self.line);
        if !std::mem::take(&mut self.too_long)
            && let Some(data) = line.strip_prefix(b"data:")
        {
            self.read(data);
        }
    }

    fn read(&mut self, json: &[u8]) {
        // Most events tell of no usage: not worth reading them.
        if !json
            .windows(8)
            .any(|window| window == b"\"usage\":" || window == b"\"usage\" ")
        {
            return;
        }
        let Ok(told) = serde_json::from_slice::<Told>(json) else {
            return;
        };
        let inner = |inner: Option<Inner>| inner.and_then(|inner| inner.usage);
        for usage in [told.usage, inner(told.message), inner(told.response)]
            .into_iter()
            .flatten()
        {
            let tokens = usage.tokens();
            let seen = self.seen.get_or_insert_default();
            // Anthropic tells the input first and the output, rising, later.
            seen.input = seen.input.max(tokens.input);
            seen.cached = seen.cached.max(tokens.cached);
            seen.written = seen.written.max(tokens.written);
            seen.output = seen.output.max(tokens.output);
        }
    }

    /// What was told.
    pub fn end(&mut self) -> Option<Tokens> {
        if self.stream {
            self.event();
        } else if !self.too_long {
            let body = std::mem::take(&mut self.line);
            self.read(&body);
        }
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stream: bool, text: &str) -> Option<Tokens> {
        // However it is cut.
        let mut whole = UsageReader::new(stream);
        whole.pass(text.as_bytes());
        let told = whole.end();
        for size in [1, 7] {
            let mut pieces = UsageReader::new(stream);
            for piece in text.as_bytes().chunks(size) {
                pieces.pass(piece);
            }
            assert_eq!(pieces.end(), told);
        }
        told
    }

    fn tokens(input: u64, cached: u64, written: u64, output: u64) -> Option<Tokens> {
        Some(Tokens {
            input,
            cached,
            written,
            output,
        })
    }

    #[test]
    fn usage_is_read_from_both_protocols_streamed_and_whole() {
        let openai = r#"{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,"prompt_tokens_details":{"cached_tokens":40}}}"#;
        assert_eq!(read(false, openai), tokens(60, 40, 0, 20));
        let stream = format!("data: {{\"choices\":[{{}}],\"usage\":null}}\n\ndata: {openai}\n\ndata: [DONE]\n\n");
        assert_eq!(read(true, &stream), tokens(60, 40, 0, 20));
        let responses = r#"data: {"type":"response.completed","response":{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4},"output_tokens":3}}}"#;
        assert_eq!(
            read(true, &format!("event: response.completed\r\n{responses}\r\n\r\n")),
            tokens(5, 4, 0, 3)
        );
        let anthropic = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":11,\"cache_creation_input_tokens\":5,\"cache_read_input_tokens\":7,\"output_tokens\":1}}}\n\ndata: {\"type\":\"content_block_delta\",\"delta\":{\"text\":\"usage\"}}\n\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":42}}\n\n";
        assert_eq!(read(true, anthropic), tokens(11, 7, 5, 42));
        let whole = r#"{"content":[],"usage":{"input_tokens":11,"cache_creation_input_tokens":null,"cache_read_input_tokens":7,"output_tokens":42}}"#;
        assert_eq!(read(false, whole), tokens(11, 7, 0, 42));
    }

    #[test]
    fn promise_11_what_tells_no_usage_is_not_guessed_at() {
        for text in [
            "",
            "data: {\"usage\":\n\n",
            "data: {\"usage\": 7}\n",
            "{\"usage\":{\"prompt_tokens\":-1}}",
            "<html>\"usage\": </html>",
        ] {
            assert_eq!(read(true, text), None, "{text}");
            assert_eq!(read(false, text), None, "{text}");
        }
        let mut reader = UsageReader::new(true);
        reader.pass(&vec![b'x'; limits::USAGE_BYTES + 1]);
        reader.pass(b"\ndata: {\"usage\":{\"prompt_tokens\":1}}\n");
        assert_eq!(reader.end(), tokens(1, 0, 0, 0));
    }
}
