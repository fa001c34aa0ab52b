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
    private let mirror: PullThrough

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
        case .list(let incompleteOnly): try await list(incompleteOnly: incompleteOnly, report)
        case .show(let text): try await show(try name(text), report)
        case .remove(let text): try await remove(try name(text), report)
        case .collect: try await collect(report)
        case .verify(let options): try await verify(options, report)
        case .stats: try await report(.stats(try await stats(report)))
        case .pin(let text): try await setPin(try name(text), isPinned: true, report)
        case .unpin(let text): try await setPin(try name(text), isPinned: false, report)
        }
    }

    private func name(_ text: String) throws(CareError) -> ImageName {
        try ImageName(text, in: mirror.directory)
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
        if !isPinned, try await !hasPin(name) { throw .unknown("a pin of \(name)") }
        try await commit([change])
        let survival = await holding(of: name).survival
        try await report(.pin(PinState(reference: "\(name)", isPinned: isPinned, survival: survival)))
    }

    func hasPin(_ name: ImageName) async throws(CareError) -> Bool {
        var isFound = false
        try await reader.eachPin { pin in
            if pin.repository == name.repository, pin.reference == name.reference { isFound = true }
        }
        return isFound
    }
}
