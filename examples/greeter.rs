//! A worker program with one app: serve it with
//! `dirty serve --app greeter:Greeter --worker-command target/debug/examples/greeter`.

use dirty_arbiter::worker::{Actions, AppResult, DirtyApp, Host};

#[derive(Default)]
struct Greeter {
    greeting: String,
}

impl DirtyApp for Greeter {
    fn init(&mut self) -> AppResult<()> {
        self.greeting = "Hello".to_owned(); // load your model here, once
        Ok(())
    }

    fn actions(actions: &mut Actions<Self>) {
        actions.call("greet", ["name"], Self::greet).iter("spell", ["word"], Self::spell);
    }
}

impl Greeter {
    fn greet(&self, name: String) -> String {
        format!("{}, {name}!", self.greeting)
    }

    fn spell(&self, word: String) -> impl Iterator<Item = char> {
        word.chars().collect::<Vec<_>>().into_iter()
    }
}

fn main() -> std::process::ExitCode {
    Host::new().app("greeter:Greeter", Greeter::default).run()
}
