//! Every definition that ships keeps the laws, exhaustively for few mishaps and at random for many.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use backstitch_testkit::{Misbehaviours, Specimen, Walk, keeps_the_laws, queue_grid, state_grid, wander};
use proptest::prelude::{ProptestConfig, any, proptest};

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn all() -> Vec<Specimen> {
    let sagas = project().join("sagas");
    let mut all = Specimen::load_all(&sagas);
    all.extend(Specimen::load_all(&sagas.join("examples")));
    // Some definitions are there to be started by others.
    all.push(Specimen::load(&sagas.join("examples"), "damage-assessment").as_sub_saga());
    all
}

#[test]
fn every_saga_ends_whatever_two_things_go_wrong() {
    for specimen in all() {
        let told = keeps_the_laws(&specimen, Misbehaviours(2));
        assert!(told > 250, "{}: only {told} stories", specimen.definition().name());
    }
}

#[test]
fn every_saga_ends_though_it_waits_for_its_turns() {
    for specimen in all() {
        let limited = specimen.limited();
        let told = keeps_the_laws(&limited, Misbehaviours(1));
        assert!(told > 20, "{}: only {told} stories", limited.definition().name());
    }
}

static LIMITED: LazyLock<Vec<Specimen>> = LazyLock::new(|| all().into_iter().map(Specimen::limited).collect());

static SPECIMENS: LazyLock<Vec<Specimen>> = LazyLock::new(all);

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_saga_ends_whatever_goes_wrong(choices in proptest::collection::vec(any::<u16>(), 0..40)) {
        for specimen in SPECIMENS.iter() {
            wander(specimen, &Walk { choices: choices.clone(), unsendable: Vec::new() });
        }
    }

    #[test]
    fn every_saga_ends_whatever_goes_wrong_while_it_waits_for_its_turns(
        choices in proptest::collection::vec(any::<u16>(), 0..40),
    ) {
        for specimen in LIMITED.iter() {
            wander(specimen, &Walk { choices: choices.clone(), unsendable: Vec::new() });
        }
    }
}

#[test]
fn the_state_grid_in_the_documents_is_the_engine_s_own() {
    let specimen = Specimen::load(&project().join("sagas"), "order-fulfilment");
    let path = project().join("docs/state-grid.md");
    let as_sub_saga = state_grid(&specimen.clone().as_sub_saga());
    let with_limits = queue_grid(&specimen);
    let grid =
        format!("{HEADING}\n{}\n{AS_SUB_SAGA}\n{as_sub_saga}\n{WITH_LIMITS}\n{with_limits}", state_grid(&specimen));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &grid).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == grid, "docs/state-grid.md is out of date: run this test with UPDATE_DOCS=1");
}

const AS_SUB_SAGA: &str = "## As a sub-saga

The same saga, started by a step of another one.
";

const WITH_LIMITS: &str = "## Where participants have limits

The same saga, whose participants may be asked for so much at once. Its first step is done, and the second waits for its
turn, or was asked.
";

const HEADING: &str = "# What each input does in each state

Printed by the engine from the order saga; a test compares this page with what the engine does. `·` means: no effect.
`–` means: this definition has no such input. The saga is advancing with its first step done and its second asked;
rolling back because the second was refused, with the first step's compensation asked; stuck because that compensation
was never answered.
";
