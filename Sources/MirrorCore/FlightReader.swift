import OCI

/// A flight, as one request has boarded it.
final class BoardedFlight: GrowingBlob {
    private let flight: Flight
    private let repository: Repository
    private let caller: Caller
    private let context: FlightContext

    /// `repository` is the one that the request came by, whose upstream is asked should the flight be handed over.
    init(_ flight: Flight, from repository: Repository, for caller: Caller, _ context: FlightContext) {
        self.flight = flight
        self.repository = repository
        self.caller = caller
        self.context = context
    }

    var length: Int? { flight.length }

    func reader(of range: Range<Int>) -> any GrowingBlobReader {
        FlightReader(flight, range, from: repository, for: caller, context)
    }
}

/// One client's way through a flight's file, and, should there be no room for that, on by a fetch of its own.
///
///     following ──the flight is handed over──▶ passing
///
/// Confined to its event loop.
private final class FlightReader: GrowingBlobReader {
    private enum Way {
        case following(Flight, FlightState.Position)
        case passing(Passage)
    }

    private var way: Way
    private let repository: Repository
    private let caller: Caller
    private let context: FlightContext

    init(
        _ flight: Flight,
        _ range: Range<Int>,
        from repository: Repository,
        for caller: Caller,
        _ context: FlightContext
    ) {
        let position = FlightState.Position(range: range, offset: range.lowerBound, generation: flight.generation)
        way = .following(flight, position)
        self.repository = repository
        self.caller = caller
        self.context = context
    }

    deinit {
        leave()
    }

    func next(wake: @escaping @Sendable () -> Void) -> ReadStep {
        switch way {
        case .passing(let passage): return passage.next(wake: wake)
        case .following(let flight, var position):
            let step = flight.next(for: &position, wake: wake)
            way = .following(flight, position)
            if let step { return step }
            guard let handover = flight.handover else { return .failed(.corrupt) }
            return pass(flight, position, handover).next(wake: wake)
        }
    }

    /// Lets go of the flight, whose file is then held by those only who have not read it.
    private func pass(_ flight: Flight, _ position: FlightState.Position, _ handover: Handover) -> Passage {
        let progress = PassageState(
            range: position.range,
            from: position.offset,
            length: flight.length,
            fileEnd: handover.received
        )
        let passage = Passage(
            flight.digest,
            in: repository,
            for: Errand(for: caller),
            progress,
            after: handover,
            context
        )
        way = .passing(passage)
        context.passages.depart(passage)
        return passage
    }

    /// A fetch of its own ends; a flight goes on, and a wake that was asked for may still come, once.
    func leave() {
        if case .passing(let passage) = way { context.passages.leave(passage) }
    }
}
