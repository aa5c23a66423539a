//! Known mistakes, one at a time: what watches over a run has to notice each of them. Each is made at the edge of the code
//! under test (its engine, its statements, its messages), so that nothing of it is in what ships.

/// A mistake. `docs/simulation.md` says what notices it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Mutation {
    /// The lane's statement does not compare epoch and commits: a zombie writes.
    FenceComparesNothing,
    /// What is to be published is not written with the batch.
    OutboxIsOnlyInMemory,
    /// A claim takes everything committed for published.
    ClaimForgetsTheOutbox,
    /// A claim goes on one message too far.
    ClaimSkipsAMessage,
    /// A claim does not set the timers of the sagas that it loads.
    ClaimForgetsTimers,
    /// A start of a saga that exists writes it anew.
    StartsAreNotUnique,
    /// Timers fire without regard to what waits in the topics.
    TimersDoNotWait,
    /// The records of a commit are published last one first.
    RecordsGoOutBackwards,
    /// Inputs that arrive in a lane that is not their home are thrown away.
    ForwardedInputsAreDropped,
    /// What a failed batch had staged is kept.
    AbortedBatchesAreKept,
    /// A journal entry now and then has no row.
    JournalLosesRows,
    /// A repeated command is taken for a new one.
    RepeatedCommandsAreNew,
    /// A compensation is noted as done, and not asked for.
    CompensationsAreOnlyNoted,
    /// A no is taken for a yes.
    NoMeansYes,
    /// Each attempt is a command of its own.
    AttemptsAreNewCommands,
    /// What came early is in the journal and not in the state.
    EarlyArrivalsAreForgotten,
    /// The pivot is a step like others.
    PivotIsForgotten,
    /// A step's silence is the end of the saga's rollback for that step: it is not undone.
    SilenceMeansNo,
    /// A claim does not load the sagas that wait for a turn.
    ClaimForgetsWhoWaits,
    /// Whoever should wait for a turn is asked for at once.
    NobodyWaits,
    /// What became of a sub-saga is not told to whoever started it.
    SubSagasTellNobody,
    /// A completed sub-saga that is to be rolled back says that it is, and does nothing.
    CompletedSubSagasStay,
    /// All items of a list have the command id of their step.
    ItemsShareACommandId,
    /// Of the items of a list only the first is undone; of the others it is noted.
    OneItemIsUndone,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::FenceComparesNothing,
        Self::OutboxIsOnlyInMemory,
        Self::ClaimForgetsTheOutbox,
        Self::ClaimSkipsAMessage,
        Self::ClaimForgetsTimers,
        Self::StartsAreNotUnique,
        Self::TimersDoNotWait,
        Self::RecordsGoOutBackwards,
        Self::ForwardedInputsAreDropped,
        Self::AbortedBatchesAreKept,
        Self::JournalLosesRows,
        Self::RepeatedCommandsAreNew,
        Self::CompensationsAreOnlyNoted,
        Self::NoMeansYes,
        Self::AttemptsAreNewCommands,
        Self::EarlyArrivalsAreForgotten,
        Self::PivotIsForgotten,
        Self::SilenceMeansNo,
        Self::ClaimForgetsWhoWaits,
        Self::NobodyWaits,
        Self::SubSagasTellNobody,
        Self::CompletedSubSagasStay,
        Self::ItemsShareACommandId,
        Self::OneItemIsUndone,
    ];
}
