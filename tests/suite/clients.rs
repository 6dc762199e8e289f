//! The reference clients in `clients/`: their own tests, their examples, and the verdict of the kit.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::installed::{installed, run};
use crate::other_languages::{go, root, target};
use crate::served::{Served, dirty};

fn folder(name: &str) -> PathBuf {
    root().join("clients").join(name)
}

/// The client for Node, compiled where it is; the compiler is installed once, under the target directory.
fn node_client() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    let client = folder("node");
    BUILT.get_or_init(|| {
        let version = run(Command::new("node").arg("--version"));
        let pins = fs::read_to_string(client.join("package-lock.json")).unwrap();
        let tools = installed("node-client", &format!("{version}{pins}"), |folder| {
            for file in ["package.json", "package-lock.json"] {
                fs::copy(client.join(file), folder.join(file)).unwrap();
            }
            let mut npm = Command::new("npm");
            run(npm.current_dir(folder).args([
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--silent",
            ]));
        });
        let modules = client.join("node_modules");
        if modules.is_symlink() {
            fs::remove_file(&modules).unwrap(); // of another target directory, perhaps
        }
        if !modules.exists() {
            symlink(tools.join("node_modules"), modules).unwrap();
        }
        run(Command::new("npm").current_dir(&client).args(["run", "--silent", "build"]));
    });
    client
}

/// The first block of a page in this language, and the block of text after it: what it prints.
fn example(page: &str, language: &str) -> (String, String) {
    let block = |text: &str, language: &str| {
        let start =
            text.find(&format!("```{language}\n")).unwrap_or_else(|| panic!("no block in {language}"));
        let body = &text[start + language.len() + 4..];
        let end = body.find("```").unwrap();
        (body[..end].to_owned(), body[end..].to_owned())
    };
    let text = fs::read_to_string(root().join(page)).unwrap();
    let (code, rest) = block(&text, language);
    (code, block(&rest, "text").0)
}

#[test]
fn the_types_of_the_node_client_are_those_of_the_schema() {
    run(Command::new("node").arg(folder("node").join("tools/generate_messages.mjs")).arg("--check"));
}

#[test]
fn the_tests_of_the_node_client_pass() {
    let out = run(Command::new("npm").current_dir(node_client()).args(["run", "--silent", "test:built"]));
    assert!(out.contains("fail 0") && !out.contains("pass 0"), "{out}");
}

#[test]
fn the_example_of_the_node_client_prints_what_its_page_says() {
    let (code, printed) = example("clients/node/README.md", "js");
    let served = Served::start(&[]);
    let program = node_client().join("dist/example.mjs");
    fs::write(&program, code).unwrap();
    assert_eq!(run(Command::new("node").arg(program).env("DIRTY_SOCKET", &served.socket)), printed);
}

#[test]
fn the_tests_of_the_go_client_pass() {
    let Some(mut go) = go("the tests of the Go client") else { return };
    // The race detector needs cgo, which needs a C compiler.
    let race = Command::new("gcc").arg("--version").output().is_ok_and(|it| it.status.success());
    go.current_dir(folder("go")).args(["test", "-count=1", "-timeout=120s"]);
    run(go.args(race.then_some("-race")).arg("./..."));
}

#[test]
fn the_go_client_is_formatted_and_vetted() {
    let Some(mut vet) = go("go vet") else { return };
    run(vet.current_dir(folder("go")).args(["vet", "./..."]));
    let replayer = root().join("golden/replay/go");
    let unformatted = run(Command::new("gofmt").arg("-l").arg(folder("go")).arg(replayer));
    assert_eq!(unformatted, "");
}

#[test]
fn the_example_of_the_go_client_prints_what_its_page_says() {
    let Some(mut build) = go("the example of the Go client") else { return };
    let (code, printed) = example("clients/go/README.md", "go");
    let served = Served::start(&[]);
    let directory = target("clients").join("go-example");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("main.go"), code).unwrap();
    let module = format!(
        "module example\n\ngo 1.19\n\nrequire dirty-arbiter/clients/go v0.0.0\n\nreplace dirty-arbiter/clients/go => {}\n",
        folder("go").display()
    );
    fs::write(directory.join("go.mod"), module).unwrap();
    let out = run(build.current_dir(&directory).args(["run", "."]).env("DIRTY_SOCKET", &served.socket));
    assert_eq!(out, printed);
}

#[test]
fn the_smallest_client_of_the_guide_prints_what_the_page_says() {
    let (code, printed) = example("spec/client-guide.md", "python");
    let served = Served::start(&[]);
    let mut python = Command::new("python3");
    assert_eq!(run(python.arg("-c").arg(code).env("DIRTY_SOCKET", &served.socket)), printed);
}

#[test]
fn the_kit_finds_nothing_wrong_with_the_node_client() {
    run(dirty().args(["check", "client", "--", "node"]).arg(node_client().join("adapter.mjs")));
}

#[test]
fn the_kit_finds_nothing_wrong_with_the_go_client() {
    let Some(mut build) = go("the adapter of the Go client") else { return };
    let adapter = target("clients").join("adapter");
    run(build.current_dir(folder("go")).args(["build", "-o"]).arg(&adapter).arg("./cmd/adapter"));
    run(dirty().args(["check", "client", "--"]).arg(adapter));
}
