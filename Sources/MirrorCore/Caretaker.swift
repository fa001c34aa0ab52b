import Locking
import Logging
import OCI

/// Looks after the cache, at the wish of people; the only implementation, whether the mirror runs or not.
///
/// What it does is in the extensions, by subject: images, removal, verification, sums.
package final class Caretaker: CacheAdministration {
    let reader: CacheReader
    let mender: Mender
    let time: Timekeeper
    /// The bytes that the index takes, which the port does not tell.
    let indexBytes: @Sendable () -> Int
    let mirror: PullThrough
    /// What must not be done twice at the same time, and is being done.
    private let underWay = Locked<Set<String>>([])

    /// Looks after what `mirror` serves from; `index` and `store` are that mirror's own.
    package init(
        of mirror: PullThrough,
        index: any CacheInventory,
        store: any BlobStore,
        indexBytes: @escaping @Sendable () -> Int = { 0 }
    ) {
        self.mirror = mirror
        self.indexBytes = indexBytes
        time = mirror.time
        reader = CacheReader(index: index, store: store)
        mender = Mender(reader, for: mirror)
    }

    var index: any CacheInventory { reader.index }
    var store: any BlobStore { reader.store }
    var logger: Logger { mirror.context.logger }

    package func perform(_ task: CareTask, report: CareObserver) async throws(CareError) {
        switch task {
        case .list(let incompleteOnly):
            try await completeIndex()
            try await list(incompleteOnly: incompleteOnly, report)
        case .show(let text):
            let name = try name(text)
            try await completeIndex()
            try await show(name, report)
        case .remove(let text):
            let name = try name(text)
            try await alone("removal") { () throws(CareError) in try await remove(name, report) }
        case .collect:
            try await alone("removal") { () throws(CareError) in try await collect(report) }
        case .verify(let options):
            try await alone("verification") { () throws(CareError) in try await verify(options, report) }
        case .stats:
            try await completeIndex()
            try await report(.stats(try await stats()))
        case .pin(let text): try await setPin(try name(text), isPinned: true, report)
        case .unpin(let text): try await setPin(try name(text), isPinned: false, report)
        }
    }

    private func name(_ text: String) throws(CareError) -> ImageName {
        try ImageName(text, in: mirror.directory) { index.knows($0) }
    }

    /// Where the index was lost, waits until it knows again all that is on the disk.
    private func completeIndex() async throws(CareError) {
        if index.isRebuildPending { await mirror.takeStock() }
    }

    /// Does what must not be done twice at the same time, and only on a complete index: what is missing in one that is being
    /// rebuilt would seem to be needed by nobody.
    private func alone(_ task: String, _ body: () async throws(CareError) -> Void) async throws(CareError) {
        guard underWay.withLock({ $0.insert(task).inserted }) else { throw .busy(task) }
        defer { underWay.withLock { _ = $0.remove(task) } }
        await mirror.stockTaken()
        guard !index.isRebuildPending else {
            throw .failed("the index was lost, and what is on the disk could not all be recorded; the log says why")
        }
        try await body()
    }

    /// Whether content is on its way into the cache: a file then comes before its record.
    func isUnderWay(_ digest: Digest, _ kind: ContentKind) -> Bool { mirror.isUnderWay(digest, kind) }

    /// Records changes durably.
    func commit(_ changes: [IndexChange]) async throws(CareError) {
        do throws(IndexError) {
            try await index.commit(changes)
        } catch {
            throw CareError(error)
        }
        mirror.context.publishTotals()
    }

    // MARK: - Pins

    private func setPin(_ name: ImageName, isPinned: Bool, _ report: CareObserver) async throws(CareError) {
        let change: IndexChange =
            isPinned
            ? .pinned(name.reference, in: name.repository, since: time.wall())
            : .unpinned(name.reference, in: name.repository)
        guard isPinned || index.hasPin(name.reference, in: name.repository) else { throw .notPinned("\(name)") }
        try await commit([change])
        let survival = await holding(of: name).survival
        try await report(.pin(PinState(reference: "\(name)", isPinned: isPinned, survival: survival)))
    }
}
