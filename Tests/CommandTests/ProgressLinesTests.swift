import MirrorCore
import OCI
import Testing

@testable import Prewarm
@testable import tidepool

/// Images to show, in no registry.
struct ShownImages {
    static func image(_ repository: String, _ tag: String, cached: Bool = false, number: Int = 1) throws -> PlannedImage
    {
        let digest = try Digest("sha256:" + String(repeating: "0", count: 60) + String(1000 + number))
        let name = try RepositoryName(repository)
        return PlannedImage(
            id: .init(repository: Repository(upstream: .dockerHub, name: name), digest: digest),
            mediaType: "application/vnd.oci.image.index.v1+json",
            size: 1000,
            tags: [tag],
            demand: 1,
            platforms: nil,
            artifacts: [],
            isCached: cached,
            price: Price(manifestReads: cached ? 0 : 2, bytes: cached ? 0 : 10_000_000)
        )
    }

    static func result(
        _ image: PlannedImage,
        _ status: ImageResult.Status,
        bytes: Int = 0,
        reads: Int = 0
    ) -> ImageResult {
        ImageResult(
            image: image,
            status: status,
            manifestReads: reads,
            bytes: bytes,
            duration: .seconds(3),
            problem: nil
        )
    }
}

@Suite("The progress of prewarm on a terminal")
struct ProgressLinesTests {
    private static func running() throws -> PrewarmProgress {
        let nginx = try ShownImages.image("library/nginx", "1.27")
        let long = try ShownImages.image(
            "organisation/a-repository-with-a-long-name/of-many-parts",
            "2.19.4-alpine",
            number: 2
        )
        let cached = try ShownImages.image("library/redis", "7", cached: true, number: 3)
        var progress = PrewarmProgress()
        progress.take(.planned(PrewarmPlan(images: [nginx, long, cached])), at: .zero)
        progress.take(.began(nginx.id), at: .zero)
        progress.take(.sized(nginx.id, total: 68_200_000, received: 1_000_000), at: .seconds(1))
        for second in 2...6 {
            progress.take(.progress(nginx.id, received: 1_000_000 + (second - 1) * 5_000_000), at: .seconds(second))
        }
        progress.take(.began(long.id), at: .seconds(6))
        return progress
    }

    @Test("each image has a bar with bytes, rate and time left, at 80 columns")
    func wide() throws {
        let lines = ProgressLines(columns: 79).lines(try Self.running(), at: .seconds(6))
        #expect(
            lines == [
                "nginx:1.27              [####........]  26.0 MB of  68.2 MB   5.0 MB/s    0:09",
                "..y-parts:2.19.4-alpine reading manifests",
                "0 of 2 images, 25.0 MB fetched, 5.0 MB/s",
            ]
        )
    }

    @Test("no line is wider than the terminal, and a narrow one has the share at least", arguments: 8...200)
    func widths(columns: Int) throws {
        let lines = ProgressLines(columns: columns).lines(try Self.running(), at: .seconds(6))
        #expect(lines.count == 3 && lines.allSatisfy { $0.count <= columns }, "\(lines)")
        if columns >= 20 { #expect(lines[0].contains("38%") || lines[0].contains("26.0 MB"), "\(lines[0])") }
    }

    @Test("what moves keeps its place")
    func places() throws {
        var progress = try Self.running()
        let image = try ShownImages.image("library/nginx", "1.27")
        let first = ProgressLines(columns: 100).lines(progress, at: .seconds(6))[0]
        for (second, received) in [(7, 999), (8, 67_999_999), (9, 68_200_000)] {
            progress.take(.progress(image.id, received: received), at: .seconds(second))
            let line = ProgressLines(columns: 100).lines(progress, at: .seconds(second))[0]
            #expect(line.count == first.count, "\(line)")
            #expect(line.firstIndex(of: "]") == first.firstIndex(of: "]"), "\(line)")
        }
    }

    @Test("what an earlier run has left is in the bar, and not in the sum")
    func earlier() throws {
        let image = try ShownImages.image("library/nginx", "1")
        var progress = PrewarmProgress()
        progress.take(.planned(PrewarmPlan(images: [image])), at: .zero)
        progress.take(.began(image.id), at: .zero)
        progress.take(.sized(image.id, total: 10_000_000, received: 9_000_000), at: .zero)
        let lines = ProgressLines(columns: 79).lines(progress, at: .seconds(1))
        #expect(lines[0].contains("9.0 MB of  10.0 MB") && lines[1].contains("0 B fetched"), "\(lines)")
    }

    @Test("more images than rows are counted")
    func rows() throws {
        let images = try (1...20).map { try ShownImages.image("org/app\($0)", "1", number: $0) }
        var progress = PrewarmProgress()
        progress.take(.planned(PrewarmPlan(images: images)), at: .zero)
        for image in images { progress.take(.began(image.id), at: .zero) }
        let lines = ProgressLines(columns: 79, rows: 6).lines(progress, at: .zero)
        #expect(lines.count == 6)
        #expect(lines[4] == "and 16 images more on the way")
    }

    @Test("an image that has ended has no bar, and is counted; one that was cached is not")
    func ended() throws {
        let images = try (1...3).map { try ShownImages.image("org/app\($0)", "1", cached: $0 == 3, number: $0) }
        var progress = PrewarmProgress()
        progress.take(.planned(PrewarmPlan(images: images)), at: .zero)
        for image in images { progress.take(.began(image.id), at: .zero) }
        progress.take(.ended(ShownImages.result(images[2], .cached)), at: .zero)
        progress.take(.ended(ShownImages.result(images[0], .fetched, bytes: 5_000_000, reads: 3)), at: .seconds(1))
        let lines = ProgressLines(columns: 79).lines(progress, at: .seconds(1))
        #expect(lines.count == 2 && lines[1].hasPrefix("1 of 2 images, 5.0 MB fetched"), "\(lines)")
        #expect(progress.manifestReads == 3)
    }

    @Test("a quota that is waited for is told")
    func waiting() throws {
        var progress = try Self.running()
        progress.take(.waiting(.dockerHub, until: WallTime(milliseconds: 0)), at: .seconds(7))
        #expect(
            ProgressLines(columns: 200).lines(progress, at: .seconds(7))[2]
                .contains("waiting for quota of docker.io until ")
        )
        progress.take(.resumed(.dockerHub), at: .seconds(8))
        #expect(!ProgressLines(columns: 200).lines(progress, at: .seconds(8))[2].contains("waiting"))
    }

    @Test("a transfer that begins anew has no rate from before")
    func anew() {
        var meter = RateMeter()
        for second in 0...4 { meter.note(second * 1_000_000, at: .seconds(second)) }
        #expect(meter.rate(at: .seconds(4)) == 1_000_000)
        meter.note(0, at: .seconds(5))
        #expect(meter.rate(at: .seconds(5)) == nil)
    }

    @Test(
        "time left is told as people tell it",
        arguments: [(0.2, "0:01"), (59.0, "0:59"), (60, "1:00"), (3725, "1:02:05"), (1e12, ">99 h")]
    )
    func left(seconds: Double, text: String) {
        #expect(Clock.left(seconds: seconds) == text)
    }
}

@Suite("Frames on a terminal")
struct TerminalFrameTests {
    /// As much of a terminal as frames need: it breaks long lines anew when it is resized, as most do.
    private struct Screen {
        var columns: Int
        private(set) var lines: [String] = [""]
        private var row = 0
        private var column = 0
        private(set) var isCursorShown = true

        init(columns: Int) { self.columns = columns }

        mutating func resize(to columns: Int) {
            let before = lines[..<row].reduce(0) { $0 + Self.rows($1, columns) }
            let within = column / max(1, columns)
            lines = lines.flatMap { line in
                line.isEmpty
                    ? [""]
                    : stride(from: 0, to: line.count, by: columns).map { String(line.dropFirst($0).prefix(columns)) }
            }
            (self.columns, row, column) = (columns, before + within, column % columns)
        }

        private static func rows(_ line: String, _ columns: Int) -> Int { max(1, (line.count + columns - 1) / columns) }

        mutating func write(_ text: String) {
            var rest = text[...]
            while let scalar = rest.unicodeScalars.popFirst() {
                switch scalar {
                case "\r": column = 0
                case "\n":
                    row += 1
                    if row == lines.count { lines.append("") }
                case "\u{1b}":
                    rest.removeFirst()
                    let parameters = rest.prefix { !$0.isLetter }
                    rest = rest[parameters.endIndex...]
                    control(rest.removeFirst(), String(parameters))
                default:
                    #expect(column < columns, "a line is broken: \(lines[row])")
                    lines[row] =
                        String(lines[row].prefix(column)) + String(Character(scalar))
                        + String(lines[row].dropFirst(column + 1))
                    column += 1
                }
            }
        }

        private mutating func control(_ letter: Character, _ parameters: String) {
            switch (letter, parameters) {
            case ("A", _): row = max(0, row - (Int(parameters) ?? 1))
            case ("K", _): lines[row] = String(lines[row].prefix(column))
            case ("J", _):
                lines[row] = String(lines[row].prefix(column))
                lines.removeLast(lines.count - row - 1)
            case ("l", "?25"): isCursorShown = false
            case ("h", "?25"): isCursorShown = true
            case ("h", "?2026"), ("l", "?2026"), ("l", "?7"), ("h", "?7"): break
            default: Issue.record("unknown control \(parameters)\(letter)")
            }
        }
    }

    @Test("one frame takes the place of another, below lines that stay")
    func replaces() {
        var (screen, frame) = (Screen(columns: 20), TerminalFrame())
        screen.write("$ tidepool prewarm\r\n")
        screen.write(frame.draw(["one", "two", "three"], columns: 20))
        #expect(screen.lines == ["$ tidepool prewarm", "one", "two", "three"] && !screen.isCursorShown)
        screen.write(frame.draw(["1", "2"], above: ["done"], columns: 20))
        #expect(screen.lines == ["$ tidepool prewarm", "done", "1", "2"])
        screen.write(frame.draw(["1", "2", "3", "4"], columns: 20))
        #expect(screen.lines == ["$ tidepool prewarm", "done", "1", "2", "3", "4"])
        screen.write(frame.erase(columns: 20))
        #expect(screen.lines == ["$ tidepool prewarm", "done", ""] && screen.isCursorShown && frame.isEmpty)
    }

    @Test("a terminal that becomes narrower keeps nothing of the last frame", arguments: [5, 8, 10, 15, 19])
    func narrower(columns: Int) {
        var (screen, frame) = (Screen(columns: 20), TerminalFrame())
        screen.write("before\r\n")
        screen.write(
            frame.draw([String(repeating: "a", count: 19), String(repeating: "b", count: 12), "cc"], columns: 20)
        )
        screen.resize(to: columns)
        screen.write(frame.draw(["x", "y"], columns: columns))
        #expect(screen.lines.suffix(2) == ["x", "y"])
        #expect(screen.lines.dropLast(2).joined() == "before")
    }

    @Test("one that becomes wider does neither")
    func wider() {
        var (screen, frame) = (Screen(columns: 10), TerminalFrame())
        screen.write(frame.draw(["aaaaaaaaa", "bbbbbbbbb"], columns: 10))
        screen.resize(to: 40)
        screen.write(frame.draw(["x", "y"], columns: 40))
        #expect(screen.lines == ["x", "y"])
    }

    @Test("nothing to draw is nothing written, and nothing is erased before it is written over")
    func quiet() {
        var frame = TerminalFrame()
        #expect(frame.draw([], columns: 80).isEmpty && frame.erase(columns: 80).isEmpty)
        _ = frame.draw(["a"], columns: 80)
        let next = frame.draw(["b"], columns: 80)
        #expect(!next.contains("\u{1b}[2K") && !next.contains("\u{1b}[2J"))
        #expect(next.hasPrefix("\u{1b}[?2026h") && next.hasSuffix("\u{1b}[?2026l"))
    }
}
