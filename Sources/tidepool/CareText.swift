import Foundation
import MirrorCore

/// What came of looking after the cache, in words.
enum CareText {
    static func removed(_ total: RemovedTotal) -> String {
        var parts = [
            Amount.count(total.manifests, "manifest"), Amount.count(total.blobs, "blob"),
        ]
        if total.orphans > 0 { parts.append(Amount.count(total.orphans, "unknown file")) }
        var text = "removed \(parts.joined(separator: ", ")): \(Amount.bytes(total.bytes))"
        if total.manifests + total.blobs + total.orphans == 0 {
            let records = Amount.count(total.records, "record")
            text = total.records == 0 ? "nothing to remove" : "removed \(records), and no content"
        }
        if total.adopted > 0 {
            text += "; took in \(Amount.count(total.adopted, "file")) that the index did not know"
        }
        return text
    }

    static func damage(_ damage: DamagedObject) -> String {
        let remedy =
            switch damage.remedy {
            case .onDemand: "fetched when it is next asked for"
            case .fetched: "fetched again"
            case .restored: "written again from the index's copy"
            case .unavailable: "NOT fetched again: no upstream gave it"
            }
        return "\(damage.problem.rawValue) \(damage.kind) \(damage.digest): \(remedy)"
    }

    static func orphan(_ orphan: OrphanFile) -> String {
        orphan.kind == "foreign"
            ? "not ours: \(orphan.name)"
            : "unknown \(orphan.kind) file \(orphan.name), \(Amount.bytes(orphan.size)): gc settles it"
    }

    static func verified(_ total: VerifyTotal) -> String {
        var text = "\(Amount.count(total.objects, "object")), \(Amount.bytes(total.bytes)): "
        text += total.damaged == 0 ? "no damage" : "\(total.damaged) damaged, \(total.mended) mended"
        if total.unread > 0 { text += "; \(total.unread) could not be read now" }
        if total.orphans > 0 { text += "; \(Amount.count(total.orphans, "unknown file"))" }
        return text
    }

    static func pin(_ state: PinState) -> String {
        guard state.isPinned else { return "unpinned \(state.reference)" }
        let note = state.survival.isPullable ? "" : "; it is not held so that it could be pulled now"
        return "pinned \(state.reference)\(note)"
    }

    static func stats(_ stats: CacheStats, now: WallTime) -> String {
        let limit = stats.maxSize.map { " of at most \(Amount.bytes($0))" } ?? ""
        let manifestLimit = stats.maxManifestsSize.map { " of at most \(Amount.bytes($0))" } ?? ""
        let rows = [
            ("size", "\(Amount.bytes(stats.blobBytes + stats.spoolBytes))\(limit): blobs and spool"),
            ("manifests", amount(stats.manifests, stats.manifestBytes) + manifestLimit),
            ("blobs", amount(stats.blobs, stats.blobBytes)),
            ("unreferenced", amount(stats.unreferencedBlobs, stats.unreferencedBytes)),
            ("pinned", pinned(stats)),
            ("spool", Amount.bytes(stats.spoolBytes)),
            ("unfinished", amount(stats.unfinished, stats.unfinishedBytes)),
            ("repositories", "\(stats.repositories), \(Amount.count(stats.tags, "tag"))"),
            ("oldest use", stats.oldestUse == nil ? "-" : "\(Amount.age(of: stats.oldestUse, at: now)) ago"),
            ("index", Amount.bytes(stats.indexBytes)),
            (
                "device",
                "\(Amount.bytes(stats.freeBytes)) free of \(Amount.bytes(stats.deviceBytes))"
                    + (stats.minFree > 0 ? ", at least \(Amount.bytes(stats.minFree)) to stay free" : "")
            ),
        ]
        return rows.map { name, value in name + String(repeating: " ", count: 14 - name.count) + value }
            .joined(separator: "\n")
    }

    private static func pinned(_ stats: CacheStats) -> String {
        let amount = amount(stats.pinnedObjects, stats.pinnedBytes)
        return stats.pins == 0 ? amount : "\(amount) by \(Amount.count(stats.pins, "pin"))"
    }

    private static func amount(_ count: Int, _ bytes: Int) -> String {
        count == 0 ? "none" : "\(count), \(Amount.bytes(bytes))"
    }
}
