//! One page of the browser: runs scripts in it, chooses files in its forms, and keeps what it complained of.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::{PATIENCE, cdp::Cdp};
use crate::process::eventually;

/// Answers that the messages of tests show.
const NEWEST: usize = 12;

/// A page. It stays open until the browser ends.
pub struct Page {
    cdp: Cdp,
    session: String,
}

impl Page {
    pub(super) async fn open(cdp: &Cdp, url: &str) -> Result<Self> {
        let target = cdp.call(None, "Target.createTarget", json!({"url": "about:blank"})).await?;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = cdp.call(None, "Target.attachToTarget", attach).await?;
        let session = attached["sessionId"].as_str().context("no session")?.to_owned();
        let page = Self { cdp: cdp.clone(), session };
        for domain in ["Page", "Runtime", "Log", "DOM", "Network"] {
            page.call(&format!("{domain}.enable"), json!({})).await?;
        }
        page.go(url).await?;
        Ok(page)
    }

    async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.cdp.call(Some(&self.session), method, params).await
    }

    /// Shows another address, and waits until it is loaded.
    ///
    /// # Errors
    /// It cannot be loaded.
    pub async fn go(&self, url: &str) -> Result<()> {
        let loaded = self.call("Page.navigate", json!({"url": url})).await?;
        ensure!(loaded.get("errorText").is_none(), "{url}: {}", loaded["errorText"]);
        self.until("document.readyState === 'complete'").await
    }

    /// Runs `expression`, waits for it if it is a promise, and returns its value as JSON.
    ///
    /// # Errors
    /// It throws.
    pub async fn evaluate(&self, expression: &str) -> Result<Value> {
        let params =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", params).await?;
        if let Some(details) = answer.get("exceptionDetails") {
            bail!("{expression}: {}", exception(details));
        }
        Ok(answer["result"]["value"].clone())
    }

    /// Asks the page until `condition` holds.
    ///
    /// # Errors
    /// It does not in time; the error shows what the page has said and shows.
    pub async fn until(&self, condition: &str) -> Result<()> {
        let held = eventually(condition, PATIENCE, async || {
            self.evaluate(condition).await.is_ok_and(|value| value == Value::Bool(true))
        })
        .await;
        match held {
            Ok(()) => Ok(()),
            Err(error) => {
                let shown = self.evaluate("document.body.innerText").await.unwrap_or_default();
                Err(error.context(format!("the page shows {shown}\n{}", self.log())))
            }
        }
    }

    /// Chooses a file in the `<input type=file>` that `selector` names, as a person would.
    ///
    /// # Errors
    /// There is no such element.
    pub async fn choose_file(&self, selector: &str, path: &Path) -> Result<()> {
        let root = self.call("DOM.getDocument", json!({})).await?["root"]["nodeId"].clone();
        let found = self.call("DOM.querySelector", json!({"nodeId": root, "selector": selector})).await?;
        let params = json!({"nodeId": found["nodeId"], "files": [path]});
        self.call("DOM.setFileInputFiles", params).await.map(drop)
    }

    /// Answers the question that the page has asked by `confirm`, with yes.
    ///
    /// # Errors
    /// It has asked none.
    pub async fn confirm(&self) -> Result<()> {
        eventually("the page asks", PATIENCE, async || {
            let accept = json!({"accept": true});
            self.call("Page.handleJavaScriptDialog", accept).await.is_ok()
        })
        .await
    }

    /// Address and status of the answers so far whose address contains `part`.
    #[must_use]
    pub fn answers(&self, part: &str) -> Vec<(String, u64)> {
        let events = self.cdp.events(&self.session);
        let answers = events.iter().filter(|event| event["method"] == "Network.responseReceived");
        let answers = answers.filter_map(|event| {
            let answer = &event["params"]["response"];
            Some((answer["url"].as_str()?.to_owned(), answer["status"].as_u64()?))
        });
        answers.filter(|(address, _)| address.contains(part)).collect()
    }

    /// What went wrong on it by its own account: exceptions, errors on the console, requests that failed.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        self.cdp.events(&self.session).iter().filter_map(complaint).collect()
    }

    /// The same and the newest answers, for the messages of tests.
    #[must_use]
    pub fn log(&self) -> String {
        let answers = self.answers("");
        let newest = &answers[answers.len().saturating_sub(NEWEST)..];
        format!("the page complained: {:#?}\nthe newest answers: {newest:#?}", self.complaints())
    }
}

fn complaint(event: &Value) -> Option<String> {
    let params = &event["params"];
    match event["method"].as_str()? {
        "Runtime.exceptionThrown" => Some(exception(&params["exceptionDetails"])),
        "Runtime.consoleAPICalled" if params["type"] == "error" => Some(format!("console: {}", params["args"])),
        "Log.entryAdded" if params["entry"]["level"] == "error" => {
            Some(format!("{} {}", params["entry"]["text"], params["entry"]["url"]))
        }
        "Inspector.targetCrashed" => Some("the page has crashed".to_owned()),
        _ => None,
    }
}

fn exception(details: &Value) -> String {
    let thrown = details["exception"]["description"].as_str();
    thrown.or(details["text"].as_str()).unwrap_or("an exception without words").to_owned()
}
