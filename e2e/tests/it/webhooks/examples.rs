//! The examples of `docs/webhooks.md`, run on a delivery as it came: they take it, and nothing that somebody has changed.

use std::{path::Path, process::Command};

use anyhow::{Context, Result, ensure};
use reelgate_e2e::{process::Folder, site::Footing};
use serde_json::json;

use super::{
    People, builder,
    receiver::{Received, Receiver, Reply},
};

/// The code of the page in this language.
fn example(language: &str) -> Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("a folder above")?;
    let page = std::fs::read_to_string(root.join("docs/webhooks.md"))?;
    let code = page.split(&format!("```{language}\n")).nth(1).and_then(|rest| rest.split("```").next());
    Ok(code.with_context(|| format!("no example in {language}"))?.to_owned())
}

/// What the example says of a delivery: `true` or `false`.
fn says(program: &str, file: &str, secret: &str, header: &str, body: &str) -> Result<bool> {
    let output = Command::new(program).args([file, secret, header, body]).output().context(program.to_owned())?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_lowercase();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(said == "true" || said == "false", "{program} said {said:?}: {words}");
    Ok(said == "true")
}

async fn delivery() -> Result<(Received, String)> {
    let site = builder(Footing::Embedded).start().await?;
    let people = People::of(&site);
    let receiver = Receiver::start(|_| Reply::Status(200)).await?;
    let (id, old) = people.endpoint(&json!({"url": receiver.url("/")})).await?;
    people.post(&format!("/v1/webhooks/{id}/rotate")).await?.expect(200)?;
    people.post(&format!("/v1/webhooks/{id}/test")).await?.expect(200)?;
    Ok((receiver.received().pop().context("nothing came")?, old))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_page_take_what_was_signed_and_nothing_else() -> Result<()> {
    let (folder, (request, secret)) = (Folder::new("examples")?, delivery().await?);
    let header = request.header("reelgate-signature");
    let late = header.replacen("t=", "t=1", 1);
    for (program, language, name, ending) in [
        ("node", "js", "verify.mjs", "console.log(verify(...process.argv.slice(2)))"),
        ("python3", "python", "verify.py", "import sys\nprint(verify(*sys.argv[1:]))"),
    ] {
        let file = folder.join(name);
        std::fs::write(&file, format!("{}\n{ending}\n", example(language)?))?;
        ensure!(says(program, &file, &secret, header, &request.body)?, "{program} refuses what is right");
        for (secret, header, body) in [
            ("whsec_other", header, request.body.as_str()),
            (&secret, &late, &request.body),
            (&secret, header, "{}"),
            (&secret, "t=1,v1=00", &request.body),
            (&secret, "", &request.body),
        ] {
            ensure!(!says(program, &file, secret, header, body)?, "{program} takes {header} for {body}");
        }
    }
    Ok(())
}
