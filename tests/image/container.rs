//! The archive, unpacked, and programs in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::random;

/// Where the image has its roots.
pub const ROOTS: &str = "etc/ssl/certs/ca-certificates.crt";

/// What a runtime does before it starts the program: `/proc`, `/dev` (statically linked, the program takes its randomness from
/// `/dev/urandom`; every runtime has to provide it: opencontainers/runtime-spec, config-linux.md, default devices), a mount namespace in which the root is read-only, and the user that the
/// image names. `$0` is the root, `$1` the user; what follows is the program. Of this environment nothing goes in.
const START: &str = r#"
mount --bind "$0" "$0.ro"
mount --rbind /proc "$0.ro/proc"
mount --rbind /dev "$0.ro/dev"
mount --options remount,bind,ro "$0.ro"
root="$0.ro" user="$1"; shift
exec env --ignore-environment KUBECONFIG=/kubeconfig "_RJEM_MALLOC_CONF=${MALLOC-}" \
  "$(command -v chroot)" --groups= --userspec="$user" "$root" "$@"
"#;

/// An image's root directory, gone with the value.
pub struct Container {
    directory: PathBuf,
    user: String,
    entrypoint: Vec<String>,
}

impl Container {
    /// Unpacks the archive, and adds what a kubelet does.
    pub fn unpack(resolv_conf: &str) -> Self {
        let Some(archive) = std::env::var_os("HOOKWRIGHT_TEST_IMAGE") else {
            panic!(
                "HOOKWRIGHT_TEST_IMAGE is not set: run `cargo xtask test --test image`, or set it to what `cargo xtask image` prints last"
            )
        };
        let directory = std::env::temp_dir().join(random("hookwright-image"));
        let layout = directory.join("layout");
        unpack(Path::new(&archive), &layout);
        let index = json(&layout.join("index.json"));
        let manifest = json(&blob(&layout, &index["manifests"][0]));
        let config = json(&blob(&layout, &manifest["config"]));
        let root = directory.join("root");
        for layer in manifest["layers"].as_array().unwrap() {
            unpack(&blob(&layout, layer), &root);
        }
        let container = Self {
            directory,
            user: config["config"]["User"].as_str().unwrap().to_owned(),
            entrypoint: serde_json::from_value(config["config"]["Entrypoint"].clone()).unwrap(),
        };
        for mountpoint in ["root/proc", "root/dev", "root.ro"] {
            std::fs::create_dir(container.directory.join(mountpoint)).unwrap();
        }
        container.add("etc/hosts", "127.0.0.1 localhost\n");
        container.add("etc/resolv.conf", resolv_conf);
        container
    }

    fn root(&self) -> PathBuf {
        self.directory.join("root")
    }

    /// Puts a file into it that everybody may read.
    pub fn add(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap()
    }

    pub fn append(&self, path: &str, content: &str) {
        self.add(path, &format!("{}{content}", self.read(path)));
    }

    /// Starts the image's entrypoint; arguments follow.
    pub fn command(&self) -> Vec<OsString> {
        let before = ["unshare", "--mount", "--propagation=private", "sh", "-euc", START];
        let mut command: Vec<OsString> = before.map(Into::into).into();
        command.extend([self.root().into_os_string(), (&self.user).into()]);
        command.extend(self.entrypoint.iter().map(Into::into));
        command
    }

    /// Runs it to its end with these arguments; what it printed on both streams.
    pub fn output(&self, args: &[&str], malloc: &str) -> String {
        let command = self.command();
        let output = Command::new(&command[0]).args(&command[1..]).args(args).env("MALLOC", malloc).output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        assert!(output.status.success(), "{}: {said}", output.status);
        said
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// By the system's own tar, which does not share a bug with the one that packed it.
fn unpack(archive: &Path, directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    let mut tar = Command::new("tar");
    let status =
        tar.args(["--extract", "--same-owner", "--file"]).arg(archive).arg("--directory").arg(directory).status();
    assert!(status.unwrap().success(), "{}", archive.display());
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The file that a descriptor means, held to its size and its digest.
fn blob(layout: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    let path = layout.join("blobs").join(digest.replace(':', "/"));
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(descriptor["size"], bytes.len());
    assert_eq!(format!("sha256:{:x}", Sha256::digest(&bytes)), digest);
    path
}
