//! `dirty check … --html`: one page, whatever a subject says, read by a real browser.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;

use crate::other_languages::is_there;
use crate::served::dirty;

/// What a subject answers: markup, in every place that a page has.
const EVIL: &str = r#"</div></script><script>document.title='OWNED'</script><img src=x onerror=\"document.title='OWNED'\">'\u0000&amp;"#;

/// A report on an arbiter that answers with markup, and leaves some transcripts out.
fn page(directory: &Path) -> String {
    let socket = directory.join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    // Ends with the test process: it waits for connections that do not come.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut header = [0; 4];
                while stream.read_exact(&mut header).is_ok() {
                    let mut payload = vec![0; u32::from_be_bytes(header) as usize];
                    stream.read_exact(&mut payload).unwrap();
                    let reply = format!(r#"{{"type":"response","id":"r-1","result":"{EVIL}"}}"#);
                    let length = u32::try_from(reply.len()).unwrap().to_be_bytes();
                    let _ = stream.write_all(&[&length, reply.as_bytes()].concat());
                }
            });
        }
    });
    let file = directory.join("report.html");
    let mut command = dirty();
    command
        .args(["check", "arbiter", "--only", "calls/echo", "--without", "cancel", "--socket"])
        .arg(&socket);
    let output = command.arg("--html").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read_to_string(&file).unwrap()
}

/// The document as Chromium has it after it has read the page and run its script.
fn in_chromium(directory: &Path, url: &str) -> String {
    let mut command = Command::new("chromium");
    command.args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--virtual-time-budget=2000",
    ]);
    command.arg(format!("--user-data-dir={}", directory.join("profile").display()));
    let output = command.args(["--dump-dom", url]).output();
    let output = output.expect("chromium starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_needs_nothing_but_itself_and_what_a_subject_says_is_text() {
    let directory = tempfile::tempdir().unwrap();
    let page = page(directory.path());
    for outside in ["http://", "https://", "src=\"", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(page.matches("<script").count(), 1, "the page's own");
    assert!(page.contains("&lt;script&gt;document.title=&#39;OWNED&#39;&lt;/script&gt;"));
    // Readable without scripts: nothing but the filters is hidden.
    assert_eq!(page.matches(" hidden>").count(), 1);
    for part in ["not conformant", "FRAME-1", "id=\"calls/echo\"", "left out", "<code>/result</code>"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn a_browser_shows_the_page_and_its_filters_work() {
    if !is_there("chromium", "chromium", "the report in a browser") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut page = page(directory.path());
    // What a reader does, and what is seen then, in the title.
    page = page.replace(
        "</body>",
        "<script>
          const seen = () => [...document.querySelectorAll('[data-verdict]:not([hidden])')].length;
          const f = document.forms[0], all = seen();
          const choose = (name, value) => { f.elements[name].value = value; f.dispatchEvent(new Event('input')); };
          choose('verdict', 'failed'); const failed = seen();
          choose('family', 'CALL'); const calls = seen();
          choose('verdict', ''); choose('family', ''); choose('text', 'calls/echo'); const text = seen();
          const lanes = document.querySelectorAll('.lanes .subject .say').length;
          document.title = [document.title === 'OWNED', f.hidden, all > 100, failed > 1, failed < all, calls > 0, calls < failed, text > 1, lanes > 0].join();
        </script></body>",
    );
    let file = directory.path().join("driven.html");
    std::fs::write(&file, page).unwrap();
    let dom = in_chromium(directory.path(), &format!("file://{}", file.display()));
    let title = dom.split_once("<title>").unwrap().1.split_once("</title>").unwrap().0;
    assert_eq!(title, "false,false,true,true,true,true,true,true,true");
}
