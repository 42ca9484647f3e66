//! Entity ids: MongoDB ObjectIds by their look, 24 hexadecimal digits.

use jiff::Timestamp;

/// Whether the text is an entity id (the seed: `Pattern: ^[0-9a-fA-F]{24}$`).
pub fn is_entity_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Gives out ids as MongoDB does: seconds, a random part of this process, a counter. None is ever given twice.
pub(crate) struct IdSource {
    process: u64,
    counter: u32,
}

impl IdSource {
    pub(crate) fn new() -> Self {
        // Not from the options' seed: two simulators with the same seed must not give out the same ids.
        Self { process: fastrand::u64(..1 << 40), counter: 0 }
    }

    pub(crate) fn next(&mut self) -> String {
        self.counter += 1;
        let seconds = Timestamp::now().as_second() & 0xffff_ffff;
        format!("{seconds:08x}{:010x}{:06x}", self.process, self.counter & 0x00ff_ffff)
    }
}
