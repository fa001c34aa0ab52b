/// What those who look after the cache can have done: `tidepool cache`, by the control socket or directly.
///
/// ``Caretaker`` implements it; tests of the edge script it.
package protocol CacheAdministration: Sendable {
    /// Does what is asked, and tells `report` of each thing as it is found.
    ///
    /// It waits for `report`, so that a long list takes no more memory than a short one; what `report` throws ends it. When
    /// the task is cancelled it throws ``CareError/stopped``.
    func perform(_ task: CareTask, report: CareObserver) async throws(CareError)
}

package typealias CareObserver = @Sendable (CareReport) async throws(CareError) -> Void

/// A thing to be done; images are named as people write them.
package enum CareTask: Hashable, Sendable {
    /// All images, or those that could not be pulled if their upstreams died now.
    case list(incompleteOnly: Bool)
    case show(String)
    case remove(String)
    /// Removes what no image needs.
    case collect
    case verify(VerifyOptions)
    case stats
    case pin(String)
    case unpin(String)

    /// Whether the cache is another after it.
    package var changesState: Bool {
        switch self {
        case .list, .show, .stats: false
        case .remove, .collect, .verify, .pin, .unpin: true
        }
    }
}

package struct VerifyOptions: Hashable, Sendable {
    /// Fetches what is bad at once, and not when it is next asked for.
    package var repairs: Bool
    /// Goes on where an earlier one was ended.
    package var resumes: Bool
    /// `nil` for as fast as can be.
    package var bytesPerSecond: Int?

    package init(repairs: Bool = false, resumes: Bool = false, bytesPerSecond: Int? = nil) {
        self.repairs = repairs
        self.resumes = resumes
        self.bytesPerSecond = bytesPerSecond
    }
}

/// Why something could not be done.
package enum CareError: Error, Hashable, Sendable {
    /// Not the name of an image.
    case malformed(String)
    /// No upstream of that name is configured.
    case upstreamUnknown(String)
    /// Nothing of that name is known here.
    case unknown(String)
    case notPinned(String)
    /// It is pinned, and so stays.
    case pinned(String)
    /// Another task of the same kind is under way, and both together would do harm.
    case busy(String)
    /// The index or the store does not do its part.
    case failed(String)
    /// Whoever asked has gone, or the process ends.
    case stopped
}

extension CareError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let text):
            "\"\(text)\" is not an image; write name, name:tag or name@digest, such as nginx:1.27 or ghcr.io/org/app"
        case .upstreamUnknown(let name): "no upstream \"\(name)\" is configured, and nothing of it is in the cache"
        case .unknown(let name): "\(name) is not in the cache"
        case .notPinned(let name): "\(name) is not pinned"
        case .pinned(let name): "\(name) is pinned; unpin it first"
        case .busy(let task): "another \(task) is under way; wait for it to end"
        case .failed(let problem): problem
        case .stopped: "it was ended before it was done"
        }
    }
}

extension CareError {
    init(_ error: IndexError) {
        switch error {
        case .full: self = .failed("the index has no room: raise cache.index_map_size")
        case .failed(let problem): self = .failed("the index could not be written: \(problem)")
        }
    }

    init(_ error: StoreError) {
        switch error {
        case .full: self = .failed("there is no room on the device")
        case .doubtful: self = .failed("the store does not vouch for a file")
        case .failed(let call, let errno): self = .failed("the store could not do its part: \(call), errno \(errno)")
        }
    }
}
