import OCI

/// How much of the disk a cache may take; made from the settings by the composition root.
package struct SpaceLimits: Hashable, Sendable {
    /// The bound on blobs and spools together, in bytes.
    package var maxSize: Int
    /// What is to stay free on the file system, in bytes, whoever fills it.
    package var minFree: Int
    /// The bound on manifests, in bytes.
    package var maxManifestsSize: Int

    package init(maxSize: Int = .max, minFree: Int = 0, maxManifestsSize: Int = .max) {
        self.maxSize = maxSize
        self.minFree = minFree
        self.maxManifestsSize = maxManifestsSize
    }

    /// Above this, room is made ahead of need: flights whose head has come find it there.
    var highWatermark: Int { share(95) }
    /// As much is left by it.
    var lowWatermark: Int { share(90) }

    private func share(_ percent: Int) -> Int { maxSize == .max ? .max : maxSize / 100 * percent }
}

/// What of the disk is promised to flights, and what they have been promised it out of.
///
/// Pure: what is stored and what the device has free is handed in. A flight's bytes are counted by its reservation alone, from
/// its head until its blob is in the index; what is stored or waits is counted by whoever keeps it.
struct SpaceAccount {
    let limits: SpaceLimits
    private(set) var reservations: [Digest: Int] = [:]
    /// Bytes that the index has given up, and whose files may still be there.
    private(set) var leaving = 0
    /// What the device had free when it was last asked, less all that was promised and is not yet written.
    private var unpromised: Int?
    /// Counts the moments at which bytes may pass from a reservation to what is stored.
    private(set) var epoch = 0

    init(_ limits: SpaceLimits) {
        self.limits = limits
    }

    /// More than any disk has, and few enough to calculate with.
    static let mostBytes = 1 << 60

    /// Promised bytes, and those that are being removed.
    var committed: Int { reservations.values.reduce(leaving, +) }

    /// How many bytes have to go before `extra` more fit in; not positive when they do.
    func shortage(of extra: Int, stored: Int) -> Int {
        // A registry may say anything of a length.
        guard extra < Self.mostBytes else { return .max }
        let beyondBound = limits.maxSize == .max ? Int.min : stored + committed + extra - limits.maxSize
        let beyondDevice = unpromised.map { limits.minFree - ($0 - extra) } ?? Int.min
        return max(beyondBound, beyondDevice)
    }

    /// Raises what a flight is promised to `total`, if that fits in.
    mutating func raise(_ digest: Digest, to total: Int, stored: Int) -> Bool {
        let extra = total - (reservations[digest] ?? 0)
        guard extra > 0 else { return true }
        guard shortage(of: extra, stored: stored) <= 0 else { return false }
        reservations[digest] = total
        unpromised = unpromised.map { $0 - extra }
        return true
    }

    /// A flight has ended; `written` of its bytes stay on the disk.
    mutating func release(_ digest: Digest, written: Int) {
        epoch += 1
        guard let reserved = reservations.removeValue(forKey: digest) else { return }
        unpromised = unpromised.map { $0 + max(0, reserved - written) }
    }

    /// The device has so many bytes free, and so many of what is promised are written.
    mutating func measured(free: Int, written: Int) {
        unpromised = free - max(0, reservations.values.reduce(0, +) - written)
    }

    mutating func leaves(_ bytes: Int) {
        epoch += 1
        leaving += bytes
    }

    mutating func left(_ bytes: Int) {
        leaving -= bytes
        unpromised = unpromised.map { $0 + bytes }
    }
}
