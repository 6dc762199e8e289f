//! An app to look at: what a language model looks like from outside, without the model.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use serde::Serialize;

use crate::worker::{Actions, AppResult, DirtyApp};

/// Between two tokens.
const PAUSE: Duration = Duration::from_millis(40);

/// `demo:LLM`: models that are loaded once and stay, inference, and tokens that appear one by one.
///
/// | action | what it does |
/// |---|---|
/// | `load_model(name)` | loads a model into this worker; returns `{"loaded": true, "name": …}` |
/// | `inference(model_name, input_text)` | returns `{"label": …, "score": …}`; raises if the model is not loaded |
/// | `generate(prompt, limit=None)` | streams the tokens of an answer, with small pauses; at most `limit` of them |
#[derive(Debug, Default)]
pub struct Llm {
    models: Mutex<HashMap<String, Model>>,
}

impl DirtyApp for Llm {
    fn init(&mut self) -> AppResult<()> {
        self.load_model("base-model".to_owned());
        Ok(())
    }

    fn actions(actions: &mut Actions<Self>) {
        actions
            .call("load_model", ["name"], Self::load_model)
            .call("inference", ["model_name", "input_text"], Self::inference)
            .iter("generate", ["prompt", "limit"], Self::generate);
    }

    fn close(&mut self) {
        self.models.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}

#[derive(Serialize)]
struct Loaded {
    loaded: bool,
    name: String,
}

#[derive(Debug, Serialize)]
struct Label {
    label: &'static str,
    score: f64,
}

/// What a model would be: it takes its time to load, and is kept.
#[derive(Debug)]
struct Model {
    positive: [&'static str; 6],
}

impl Model {
    fn load() -> Model {
        Model { positive: ["good", "great", "fast", "love", "like", "works"] }
    }

    /// The share of kind words, as if it were a mood.
    fn predict(&self, text: &str) -> Label {
        let words: Vec<String> = text.split_whitespace().map(|word| word.to_lowercase()).collect();
        let kind = words
            .iter()
            .filter(|word| self.positive.contains(&word.trim_matches(|c: char| !c.is_alphanumeric())));
        let score = (1.0 + kind.count() as f64) / (2.0 + words.len() as f64);
        Label { label: if score >= 0.3 { "positive" } else { "neutral" }, score }
    }
}

impl Llm {
    fn load_model(&self, name: String) -> Loaded {
        let mut models = self.models.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        models.entry(name.clone()).or_insert_with(Model::load);
        Loaded { loaded: true, name }
    }

    fn inference(&self, model_name: String, input_text: String) -> AppResult<Label> {
        let models = self.models.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let model = models.get(&model_name).ok_or_else(|| format!("model not loaded: {model_name}"))?;
        Ok(model.predict(&input_text))
    }

    fn generate(&self, prompt: String, limit: Option<usize>) -> impl Iterator<Item = String> {
        let answer = format!(
            "You asked: \"{}\". This worker was started once, keeps its models in memory, and sends every token \
             as soon as it is there.",
            prompt.trim()
        );
        let tokens: Vec<String> = answer.split_inclusive(' ').map(str::to_owned).collect();
        tokens.into_iter().take(limit.unwrap_or(usize::MAX)).inspect(|_| std::thread::sleep(PAUSE))
    }
}
