import MirrorCore
import OCI
import Posix

/// Where bad files are kept for people to look at: `quarantine/<algorithm>-<hex>.<milliseconds since 1970>`.
///
/// It is bounded, because nothing else counts it: the oldest go first.
struct Quarantine {
    let layout: Layout
    var now = WallClock.milliseconds

    private static let mostFiles = 16
    private static let mostBytes = 1 << 30

    private struct Held {
        var path: String
        var time: Int64
        var size: Int
    }

    init(in layout: Layout) {
        self.layout = layout
    }

    /// Moves a stored file here, waiting for the disk; returns whether there was one.
    func take(_ digest: Digest, _ kind: ContentKind) throws(SystemCallError) -> Bool {
        let path = layout.path(of: digest, kind)
        guard try File.status(of: path) != nil else { return false }
        do throws(SystemCallError) {
            try Directory.make(layout.quarantine)
            try File.rename(path, to: "\(layout.quarantine)/\(digest.algorithm.rawValue)-\(digest.hex).\(now)")
            try shrink()
        } catch {
            // No room to keep it, then; what matters is that nobody is served from it again.
            try File.remove(path)
        }
        return true
    }

    private func shrink() throws(SystemCallError) {
        var bytes = 0
        for (position, held) in try newestFirst().enumerated() {
            bytes += held.size
            if position >= Self.mostFiles || bytes > Self.mostBytes { try File.remove(held.path) }
        }
    }

    private func newestFirst() throws(SystemCallError) -> [Held] {
        var all: [Held] = []
        for name in try Directory.names(in: layout.quarantine) {
            let path = "\(layout.quarantine)/\(name)"
            guard let status = try File.status(of: path), status.kind == .regular else { continue }
            // A name of somebody else's has no time, and goes first.
            let time = name.split(separator: ".").last.flatMap { Int64($0) } ?? 0
            all.append(Held(path: path, time: time, size: status.size))
        }
        return all.sorted { ($0.time, $0.path) > ($1.time, $1.path) }
    }
}
