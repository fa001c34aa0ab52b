import Logging
import MirrorCore
import OCI
import Posix

/// A spool that waits for its next flight.
struct WaitingSpool: Hashable, Sendable {
    var name: SpoolName
    /// In bytes.
    var size: Int
    /// The length of its blob, where it was noted.
    var length: Int?
}

/// Looks through the spools that an earlier process has left, before the first flight.
///
/// What that process wrote during this boot of the machine is in the page cache or on the device: nothing that kills a
/// process takes it away. After another boot only what was synced, and noted, is known to be there; the rest may be zeros, or
/// what the device had in its place before, so it is cut off. The boot is noted once for all, after the cutting: until then
/// nobody writes, and cutting twice cuts the same.
///
/// What is no spool goes: other names, notes without one, what is too old to be of use, and what is stored by now.
struct SpoolSweep {
    let layout: Layout
    let rules: SpoolRules
    let logger: Logger

    private struct Counts {
        var removed = 0
        var cut = 0
        var stuck = 0
    }

    /// The spools that flights may go on from; blocks on the disk.
    func run() throws(SystemCallError) -> [Digest: WaitingSpool] {
        let isSameBoot = rules.bootID.map { $0 == notedBoot } ?? false
        let names = try Directory.names(in: layout.spools)
        let spools = names.compactMap { SpoolName($0) }
        let notes = Set(spools.map { $0.text + SpoolName.noteSuffix })
        var counts = Counts()
        for name in names where SpoolName(name) == nil && !notes.contains(name) {
            remove("\(layout.spools)/\(name)", &counts)
        }
        var found: [Digest: WaitingSpool] = [:]
        for name in spools {
            // Of two with one digest, the longer one.
            if let spool = usable(name, isSameBoot: isSameBoot, &counts), spool.size > found[name.digest]?.size ?? 0 {
                if let shorter = found.updateValue(spool, forKey: name.digest) { remove(shorter.name, &counts) }
            } else {
                remove(name, &counts)
            }
        }
        if !isSameBoot { noteBoot() }
        report(found, counts)
        return found
    }

    /// What can be gone on from of a spool, or `nil` when nothing can.
    private func usable(_ name: SpoolName, isSameBoot: Bool, _ counts: inout Counts) -> WaitingSpool? {
        let path = layout.path(of: name)
        guard let status = (try? File.status(of: path)) ?? nil, status.kind == .regular,
            rules.isRecent(status.modified),
            ((try? File.status(of: layout.path(of: name.digest, .blob))) ?? nil) == nil
        else { return nil }
        let note = SpoolNote.Contents(at: layout.notePath(of: name))
        // A damaged note is of no use to the next process either.
        if note == nil { _ = try? File.remove(layout.notePath(of: name)) }
        let size = isSameBoot ? status.size : (note?.synced ?? 0)
        guard size > 0, size <= status.size, size <= note?.length ?? .max, note?.synced ?? 0 <= status.size else {
            return nil
        }
        if size < status.size {
            do throws(SystemCallError) {
                try FileDescriptor.open(path, .update).truncate(to: size)
                counts.cut += 1
            } catch {
                return nil
            }
        }
        return WaitingSpool(name: name, size: size, length: note?.length)
    }

    // MARK: - Removing

    private func remove(_ name: SpoolName, _ counts: inout Counts) {
        _ = try? File.remove(layout.notePath(of: name))
        remove(layout.path(of: name), &counts)
    }

    /// Whatever cannot be removed (a directory that somebody made) is no reason not to start.
    private func remove(_ path: String, _ counts: inout Counts) {
        do throws(SystemCallError) {
            try File.remove(path)
            counts.removed += 1
        } catch {
            counts.stuck += 1
        }
    }

    // MARK: - The boot

    private var notedBoot: String? {
        guard let bytes = try? File.contents(of: layout.bootNote, limit: 256) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// If it cannot be written, the next process takes this boot for another one, and trusts only what was synced.
    private func noteBoot() {
        let new = layout.newTemporary()
        do throws(SystemCallError) {
            do {
                let file = try FileDescriptor.open(new, .createNew)
                try file.write(Array((rules.bootID ?? "").utf8).span, at: 0)
                try file.synchronizeData()
            }
            try File.rename(new, to: layout.bootNote)
            try Directory.synchronize(layout.root)
        } catch {
            _ = try? File.remove(new)
            logger.warning("the boot could not be noted", metadata: ["error": "\(error)"])
        }
    }

    private func report(_ found: [Digest: WaitingSpool], _ counts: Counts) {
        guard !found.isEmpty || counts.removed + counts.stuck > 0 else { return }
        logger.info(
            "looked through the spool",
            metadata: [
                "unfinished": "\(found.count)", "bytes": "\(found.values.reduce(0) { $0 + $1.size })",
                "cut": "\(counts.cut)", "removed": "\(counts.removed)", "stuck": "\(counts.stuck)",
            ]
        )
    }
}

/// What holds for spools across processes; another than the default only in tests.
struct SpoolRules: Sendable {
    /// How much of a spool may be lost with the machine.
    var syncInterval = 64 << 20
    /// What tells this boot of the machine from others; `nil` where it is not told, and each start is one after a boot.
    var bootID: String? = Host.bootID.isEmpty ? nil : Host.bootID
    /// In milliseconds since 1970.
    var now: @Sendable () -> Int64 = { WallClock.milliseconds }

    /// In milliseconds: whoever asks for the blob again does so within a week, or its image has been rebuilt.
    private static let longestWait: Int64 = 7 * 24 * 3600 * 1000

    /// Whether a spool that was written then is worth keeping; a time as far in the future is as wrong as one in the past.
    func isRecent(_ modified: Int64) -> Bool {
        let (age, overflow) = now().subtractingReportingOverflow(modified)
        return !overflow && age.magnitude <= Self.longestWait.magnitude
    }
}
