import Foundation
import MirrorCore

/// One image as people read it, within 80 columns.
struct ImageSheet {
    var now: WallTime

    func text(of image: ImageHolding) -> String {
        var lines = [image.reference]
        let facts = [
            ("digest", image.digest.isEmpty ? "unknown" : image.digest), ("held", Self.survival(of: image)),
            ("size", Amount.bytes(image.size)),
            ("lacks", image.missingBytes > 0 ? Amount.bytes(image.missingBytes) : nil),
            ("stored", ago(image.landedAt)), ("used", ago(image.usedAt)), ("checked", ago(image.checkedAt)),
            ("notes", ListPrinter.notes(on: image)),
        ]
        for (name, value) in facts {
            guard let value, !value.isEmpty else { continue }
            lines.append(padded(name, 8) + value)
        }
        let platforms = image.platforms ?? []
        let held = platforms.filter { $0.isHeld || $0.heldBlobs > 0 }
        if !held.isEmpty {
            lines.append("")
            lines.append(row("PLATFORM", "HELD", "BLOBS", "SIZE", "DIGEST"))
        }
        for platform in held { lines += self.lines(of: platform) }
        let others = platforms.count - held.count
        if others > 0, image.survival != .absent {
            lines.append("\(held.isEmpty ? "" : "and ")\(Amount.count(others, "platform")) never pulled here")
        }
        return lines.joined(separator: "\n")
    }

    /// The name that people write: without what they leave out.
    static func shortName(_ reference: String) -> String {
        for prefix in ["docker.io/library/", "docker.io/"] where reference.hasPrefix(prefix) {
            return String(reference.dropFirst(prefix.count))
        }
        return reference
    }

    private static func survival(of image: ImageHolding) -> String {
        switch image.survival {
        case .whole: "all; can be pulled without the upstream"
        case .partial:
            "\(image.completePlatforms) of \(image.platformCount) platforms; can be pulled for these without the upstream"
        case .incomplete: "not all; a pull would need the upstream"
        case .unserved: "enough, but the tag is gone, was checked too long ago, or is refused"
        case .absent: "nothing; a pull would need the upstream"
        }
    }

    private func lines(of platform: PlatformHolding) -> [String] {
        let short = platform.digest.split(separator: ":").last.map { String($0.prefix(12)) } ?? ""
        let blobs = "\(platform.heldBlobs) of \(platform.blobs)"
        let held = platform.isComplete ? "all" : platform.isHeld ? "incomplete" : "unproved"
        var lines = [row(platform.platform ?? "-", held, blobs, Amount.bytes(platform.size), short)]
        lines += platform.missing.map { "  lacks \($0)" }
        if !platform.unproved.isEmpty {
            let count = Amount.count(platform.unproved.count, "blob")
            lines.append("  \(count) held by way of another repository, and never proved to be this one's")
        }
        return lines
    }

    private func row(_ platform: String, _ held: String, _ blobs: String, _ size: String, _ digest: String) -> String {
        [padded(platform, 18), padded(held, 10), padded(blobs, 10), padded(size, 9), digest].joined(separator: "  ")
    }

    private func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private func ago(_ time: WallTime?) -> String? {
        let age = Amount.age(of: time, at: now)
        return age == "-" ? nil : "\(age) ago"
    }
}
