/// How far a look at all that is stored has come: through the manifests first, and then the blobs.
struct CarePlace: Hashable, Sendable {
    var kind: ContentKind
    /// `nil` for the first of the kind.
    var cursor: IndexCursor?

    static let start = CarePlace(kind: .manifest, cursor: nil)

    init(kind: ContentKind, cursor: IndexCursor?) {
        self.kind = kind
        self.cursor = cursor
    }

    /// The kinds that there are to look at still, in their order.
    var kinds: [ContentKind] { [.manifest, .blob].filter { $0.rawValue >= kind.rawValue } }

    /// Where to begin in one of these.
    func cursor(in kind: ContentKind) -> IndexCursor? { kind == self.kind ? cursor : nil }

    /// Reads ``bytes``.
    ///
    /// Fails for what is none.
    init?(bytes: some Collection<UInt8>) {
        guard let first = bytes.first, let kind = ContentKind(rawValue: first) else { return nil }
        self.kind = kind
        cursor = bytes.count == 1 ? nil : IndexCursor(Array(bytes.dropFirst()))
    }

    var bytes: [UInt8] { [kind.rawValue] + (cursor?.bytes ?? []) }
}
