import Foundation
import Testing

@testable import MirrorCore
@testable import tidepool

@Suite("What cache prints")
struct CacheTextTests {
    private static let now = WallTime(milliseconds: 1_795_267_380_000)

    private static func ago(_ seconds: Int64) -> WallTime {
        WallTime(milliseconds: now.milliseconds - seconds * 1000)
    }

    private static func image(
        _ reference: String = "docker.io/library/nginx:1.27",
        _ survival: Survival = .partial,
        platforms: [PlatformHolding]? = nil
    ) -> ImageHolding {
        ImageHolding(
            reference: reference,
            digest: "sha256:" + String(repeating: "ab", count: 32),
            survival: survival,
            size: 68_234_567,
            missingBytes: survival == .incomplete ? 28_000_000 : 0,
            platformCount: 9,
            completePlatforms: survival == .partial ? 2 : 0,
            isOlder: false,
            isGone: false,
            isPinned: false,
            landedAt: ago(3 * 86_400),
            usedAt: ago(300),
            checkedAt: ago(10),
            platforms: platforms
        )
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    @Test("the list has a line an image, with the titles above the first and the sum below")
    func list() {
        let printer = ListPrinter(now: Self.now)
        var pinned = Self.image("ghcr.io/org/app:2", .whole)
        pinned.isPinned = true
        pinned.isGone = true
        var gone = Self.image("docker.io/org/app:1", .absent)
        (gone.size, gone.landedAt, gone.usedAt) = (0, nil, nil)
        let text = [Self.image(), Self.image("docker.io/org/tool:3", .incomplete), pinned, gone]
            .map(printer.line)
            .joined(separator: "\n")
        let expected = """
                 SIZE  HELD         STORED     USED  IMAGE
              68.2 MB  2 of 9          3 d    5 min  nginx:1.27
              68.2 MB  incomplete      3 d    5 min  org/tool:3
              68.2 MB  all             3 d    5 min  ghcr.io/org/app:2  (pinned, gone upstream)
                  0 B  nothing           -        -  org/app:1
            """
        #expect(text == expected)
        #expect(
            printer.text(for: ListTotal(images: 4, incomplete: 2, size: 4_200_000_000))
                == "4 images, 2 could not be pulled without their upstream; 4.2 GB stored in all"
        )
        #expect(printer.text(for: ListTotal(images: 0, incomplete: 0, size: 0)) == "no images; 0 B stored in all")
        #expect(
            printer.text(for: ListTotal(images: 1, incomplete: 0, size: 999))
                == "1 image, all can be pulled without their upstreams; 999 B stored in all"
        )
    }

    @Test("the sheet of an image has its platforms, and names what they lack")
    func sheet() {
        func platform(
            _ name: String?,
            held: Int,
            of blobs: Int,
            missing: [String] = [],
            unproved: [String] = []
        ) -> PlatformHolding {
            PlatformHolding(
                platform: name,
                digest: "sha256:" + String(repeating: "cd", count: 32),
                isHeld: held > 0,
                blobs: blobs,
                heldBlobs: held,
                size: held * 10_000_000,
                missingBytes: 0,
                missing: missing,
                unproved: unproved
            )
        }
        let lost = "sha256:" + String(repeating: "ef", count: 32)
        let image = Self.image(
            "docker.io/library/nginx:1.27",
            .incomplete,
            platforms: [
                platform("linux/amd64", held: 7, of: 7), platform("linux/arm64/v8", held: 6, of: 7, missing: [lost]),
                platform("linux/s390x", held: 2, of: 2, unproved: [lost]), platform("linux/386", held: 0, of: 0),
            ]
        )
        let text = ImageSheet(now: Self.now).text(of: image)
        let expected = """
            docker.io/library/nginx:1.27
            digest  sha256:abababababababababababababababababababababababababababababababab
            held    not all; a pull would need the upstream
            size    68.2 MB
            lacks   28.0 MB
            stored  3 d ago
            used    5 min ago
            checked 10 s ago

            PLATFORM            HELD        BLOBS       SIZE       DIGEST
            linux/amd64         all         7 of 7      70.0 MB    cdcdcdcdcdcd
            linux/arm64/v8      incomplete  6 of 7      60.0 MB    cdcdcdcdcdcd
              lacks \(lost)
            linux/s390x         incomplete  2 of 2      20.0 MB    cdcdcdcdcdcd
              1 blob held by way of another repository, and never proved to be this one's
            and 1 platform never pulled here
            """
        #expect(text == expected)
        #expect(Self.lines(text).allSatisfy { $0.count <= 80 })
    }

    @Test("sums, removals and damage are said in a line or a few, within 80 columns")
    func words() {
        let stats = CacheStats(
            manifests: 12,
            manifestBytes: 34_000,
            blobs: 80,
            blobBytes: 4_200_000_000,
            unreferencedBlobs: 0,
            pins: 1,
            pinnedObjects: 3,
            pinnedBytes: 5_000_000,
            spoolBytes: 300_000_000,
            maxSize: 100_000_000_000,
            maxManifestsSize: 2_000_000_000,
            minFree: 5_000_000_000,
            repositories: 4,
            tags: 6,
            oldestUse: Self.ago(86_400 * 40),
            indexBytes: 1_000_000,
            freeBytes: 20_000_000_000,
            deviceBytes: 100_000_000_000
        )
        let expected = """
            size          4.5 GB of at most 100.0 GB: blobs and spool
            manifests     12, 34.0 kB of at most 2.0 GB
            blobs         80, 4.2 GB
            unreferenced  none
            pinned        3, 5.0 MB by 1 pin
            spool         300.0 MB
            unfinished    none
            repositories  4, 6 tags
            oldest use    40 d ago
            index         1.0 MB
            device        20.0 GB free of 100.0 GB, at least 5.0 GB to stay free
            """
        #expect(CareText.stats(stats, now: Self.now) == expected)
        #expect(
            CareText.removed(RemovedTotal(manifests: 1, blobs: 2, bytes: 3_000_000, orphans: 1, adopted: 2))
                == "removed 1 manifest, 2 blobs, 1 unknown file: 3.0 MB; took in 2 files that the index did not know"
        )
        #expect(
            CareText.verified(VerifyTotal(objects: 90, bytes: 4_200_000_000, damaged: 2, mended: 1, orphans: 1))
                == "90 objects, 4.2 GB: 2 damaged, 1 mended; 1 unknown file"
        )
        #expect(CareText.removed(RemovedTotal()) == "nothing to remove")
        #expect(CareText.removed(RemovedTotal(records: 1)) == "removed 1 record, and no content")
        #expect(CareText.verified(VerifyTotal(objects: 1, bytes: 5)) == "1 object, 5 B: no damage")
        let damage = DamagedObject(digest: "sha256:ab", kind: "blob", problem: .short, remedy: .unavailable)
        #expect(CareText.damage(damage) == "short blob sha256:ab: NOT fetched again: no upstream gave it")
    }

    @Test(
        "the bar is as wide as the terminal lets it be",
        arguments: [
            (79, "[################........................] 40%  400.0 MB of 1.0 GB    "),
            (40, "[####......] 40%  400.0 MB of 1.0 GB    "), (30, "40%  400.0 MB of 1.0 GB    "),
        ]
    )
    func bar(columns: Int, expected: String) {
        let progress = CareProgress(objects: 3, bytes: 400_000_000, totalBytes: 1_000_000_000)
        let text = ProgressBar(columns: columns).text(progress)
        #expect(text == expected && text.count <= columns)
    }

    @Test(
        "amounts are rounded to a place",
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"),
            (68_234_567, "68.2 MB"),
        ]
    )
    func bytes(count: Int, text: String) {
        #expect(Amount.bytes(count) == text)
    }
}
