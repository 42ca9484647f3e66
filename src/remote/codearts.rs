//! Huawei Cloud CodeArts: the services behind a `codeArts` connection.

pub mod signer;
