//! `hookwright completions`.

use std::process::Command;

#[test]
fn each_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Command::new(env!("CARGO_BIN_EXE_hookwright")).args(["completions", shell]).output().unwrap();
        assert!(output.status.success());
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["hookwright", "import", "plan", "completions", "allowed-endpoint"] {
            assert!(script.contains(word), "{word} is not in the script of {shell}");
        }
    }
}

#[test]
fn bash_takes_its_script() {
    let output = Command::new(env!("CARGO_BIN_EXE_hookwright")).args(["completions", "bash"]).output().unwrap();
    let script = String::from_utf8(output.stdout).unwrap();
    let asked =
        "COMP_WORDS=(hookwright im); COMP_CWORD=1; _hookwright hookwright im hookwright; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["-c", &format!("{script}\n{asked}")]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "import", "{}", String::from_utf8_lossy(&output.stderr));
}
