//! Ownership: lanes move one at a time, after their hand-over, and never stay with the dead.

use std::collections::BTreeSet;

use backstitch_messaging::{LaneId, Ownership};

use super::{
    TestBroker,
    member::{Member, Read, to_partition},
    soon,
};

fn all_of(lanes: i32) -> BTreeSet<LaneId> {
    (0..lanes).map(LaneId).collect()
}

pub(crate) async fn one_member_owns_every_lane(broker: &impl TestBroker) {
    let topic = broker.topic("alone", 3).await;
    let mut member = Member::new(broker.join(&topic, &topic, &[]).await);
    member.until_owning(3).await;
    assert_eq!(member.owned, all_of(3));
    assert!((0..3).all(|lane| member.inbox.owns(LaneId(lane))));
    assert!(!member.inbox.owns(LaneId(3)));
}

pub(crate) async fn a_second_member_gets_lanes_only_once_they_are_handed_over(broker: &impl TestBroker) {
    let topic = broker.topic("pair", 4).await;
    let mut first = Member::new(broker.join(&topic, &topic, &[]).await);
    first.until_owning(4).await;
    let mut second = Member::new(broker.join(&topic, &topic, &[]).await);
    let asked = first.until_asked_back(2).await;
    // A round trip to the broker, in which a hasty group would have given the lanes away.
    second.inbox.end_offsets(asked[0].0).await.expect("ends");
    for (lane, ack) in asked {
        assert!(!first.inbox.owns(lane), "lane {lane} is on its way out");
        assert!(!second.inbox.owns(lane), "lane {lane} moved before it was handed over");
        drop(ack);
    }
    second.until_owning(2).await;
    assert!(first.owned.is_disjoint(&second.owned));
    assert_eq!(&first.owned | &second.owned, all_of(4));
}

pub(crate) async fn a_lane_that_stays_is_not_disturbed_by_a_second_member(broker: &impl TestBroker) {
    let topic = broker.topic("stays", 2).await;
    let publisher = broker.publisher().await;
    let mut first = Member::new(broker.join(&topic, &topic, &[]).await);
    first.until_owning(2).await;
    let mut feeds = Vec::new();
    for lane in [LaneId(0), LaneId(1)] {
        feeds.push((lane, Read::new(first.inbox.read(lane, &[]).await.expect("feed"))));
    }
    let mut second = Member::new(broker.join(&topic, &topic, &[]).await);
    first.until_owning(1).await;
    second.until_owning(1).await;
    let stays = *first.owned.first().expect("one lane");
    let (_, read) = feeds.iter_mut().find(|(lane, _)| *lane == stays).expect("its feed");
    let receipt = publisher.publish(vec![to_partition(&topic, stays.0, "still here")]).await.expect("queued");
    receipt.await.expect("a receipt").expect("durable");
    read.until_count(1).await;
    assert_eq!(read.values(), ["still here"]);
}

pub(crate) async fn a_member_that_leaves_gives_all_its_lanes_away(broker: &impl TestBroker) {
    let topic = broker.topic("leaves", 3).await;
    let mut first = Member::new(broker.join(&topic, &topic, &[]).await);
    first.until_owning(3).await;
    let mut second = Member::new(broker.join(&topic, &topic, &[]).await);
    second.until_owning_while(&mut first, 1).await;
    // Nobody listens any more, and nobody has to.
    soon("leaving", first.inbox.close()).await;
    assert!((0..3).all(|lane| !first.inbox.owns(LaneId(lane))));
    second.until_owning(3).await;
    assert_eq!(second.owned, all_of(3));
    soon("the end of ownership", async {
        while let Some(change) = first.inbox.ownership().await {
            assert!(matches!(change, Ownership::Lost(..)), "{change:?} after leaving");
        }
    })
    .await;
}

pub(crate) async fn a_killed_members_lanes_move(broker: &impl TestBroker) {
    let topic = broker.topic("killed", 3).await;
    let doomed = broker.doomed_member(&topic, &topic, 3).await;
    let mut heir = Member::new(broker.join(&topic, &topic, &[]).await);
    heir.until_owning(1).await;
    doomed.kill();
    heir.until_owning(3).await;
    assert_eq!(heir.owned, all_of(3));
}
