//! The example sagas that decide about their steps, told as stories: parcels, customers to be checked, claims.

use std::path::Path;

use backstitch_testkit::{Specimen, started};
use serde_json::json;

fn example(name: &str) -> Specimen {
    Specimen::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sagas/examples"), name)
}

#[test]
fn what_is_not_in_stock_does_not_hold_up_the_rest_of_an_order() {
    let story = started(&example("partial-shipment")).done("hold-amount").done("pick/1").done("pick/0").done("send/0");
    let story = story.done("charge");
    story.reads(
        "
        cards <- HoldAmount
        warehouse <- PickParcel
        warehouse <- PickParcel
        couriers <- SendParcel
        cards <- ChargeHeld
        shop.events <- BasketSent
        completed
        ",
    );
    assert_eq!(story.commands()[4].payload, json!({ "order_id": "o-7", "parcels": ["p-1"] }));
}

#[test]
fn a_parcel_that_may_not_be_sent_calls_the_order_off() {
    started(&example("partial-shipment"))
        .done("hold-amount")
        .done("pick/0")
        .refused("send/0")
        .undone("pick/1")
        .undone("pick/0")
        .undone("hold-amount")
        .undone("start")
        .reads(
            "
            cards <- HoldAmount
            warehouse <- PickParcel
            warehouse <- PickParcel
            couriers <- SendParcel
            warehouse <- PutBack
            warehouse <- PutBack
            cards <- FreeAmount
            shop <- CloseBasket
            rolled back: batteries may not fly
            ",
        );
}

#[test]
fn a_company_is_checked_by_its_owners_and_a_risky_one_by_a_committee() {
    let story = started(&example("customer-onboarding")).done("open-file").done("find-owners").done("screen-owners");
    let story = story.done("score").arrives("committee").done("open-account");
    story.reads(
        "
        files <- OpenFile
        registry <- FindOwners
        screening <- ScreenPersons
        risk <- ScoreCustomer
        accounts <- OpenAccount
        onboarding.events <- CustomerWelcomed
        completed
        ",
    );
    assert_eq!(story.commands()[3].payload["owners"], json!(["Ada", "Bob"]));
}

#[test]
fn a_neighbour_is_seen_by_video_and_others_show_a_passport() {
    let person = |country| {
        let data =
            json!({ "application": "a-1", "name": "Ada", "kind": "person", "country": country, "passport": "X1" });
        started(&example("customer-onboarding").starting_with(data).answering("score", json!({ "risk": 10 })))
    };
    let story = person("AT").done("open-file").arrives("video-call").done("score").done("open-account");
    story.reads(
        "
        files <- OpenFile
        risk <- ScoreCustomer
        accounts <- OpenAccount
        onboarding.events <- CustomerWelcomed
        completed
        ",
    );
    person("FR").done("open-file").refused("check-passport").undone("open-file").reads(
        "
        files <- OpenFile
        screening <- CheckPassport
        files <- CloseFile
        rolled back: out of date
        ",
    );
}

#[test]
fn a_claim_is_paid_once_every_damage_is_assessed_and_a_large_one_approved() {
    let story = started(&example("insurance-claim")).done("check-cover").done("assess/1").done("assess/0");
    assert_eq!(story.state().current_steps()[0].as_str(), "approval");
    let story = story.arrives("approval").done("pay");
    story.reads(
        "
        policies <- ReserveCover
        saga <- StartSubSaga
        saga <- StartSubSaga
        banks <- PayClaim
        claims.events <- ClaimClosed
        completed
        ",
    );
    assert_eq!(story.commands()[3].payload["amounts"], json!([1_200_000, 300_000]));
}

#[test]
fn a_damage_that_is_refused_calls_the_other_assessments_off() {
    started(&example("insurance-claim"))
        .done("check-cover")
        .done("assess/0")
        .refused("assess/1")
        .undone("assess/0")
        .undone("check-cover")
        .reads(
            "
            policies <- ReserveCover
            saga <- StartSubSaga
            saga <- StartSubSaga
            saga <- CancelSubSaga
            policies <- FreeCover
            rolled back: damaged before
            ",
        );
}

#[test]
fn a_damage_that_is_not_clear_from_photographs_is_seen_by_a_surveyor() {
    let story = started(&example("damage-assessment").as_sub_saga()).done("ask-for-photographs").done("send-surveyor");
    story.arrives("report").reads(
        "
        claimants <- AskForPhotographs
        surveyors <- SendSurveyor
        parent <- SubSagaCompleted
        completed
        ",
    );
}
