import ArgumentParser
import MirrorCore
import Posix
import Settings

extension CacheCommand {
    struct VerifyCache: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "verify",
            abstract: "Read everything again, and compare it with its digests.",
            discussion: """
                What is bad is put into quarantine/ and fetched again when it is next asked for. The running mirror does \
                the same all the time, slowly. Interrupted, it notes where it was, for --resume.

                The exit code is 1 when damage was found; with --repair, when some of it could not be mended.
                """
        )

        @Flag(help: "Fetch what is bad at once; manifests may cost quota, the reserve is left.")
        var repair = false

        @Flag(help: "Go on where the last verification was ended.")
        var resume = false

        @Option(help: "Read no more than this in a second, such as 50MB.", transform: Self.rate)
        var rate: ByteCount?

        @OptionGroup var options: Options

        func run() async throws {
            let work = VerifyOptions(repairs: repair, resumes: resume, bytesPerSecond: rate?.bytes)
            let ends = try await options.perform(.verify(work)) { report, console in
                switch report {
                case .progress(let progress): console.show(progress)
                case .damage(let damage): console.line(CareText.damage(damage))
                case .orphan(let orphan): console.line(CareText.orphan(orphan))
                case .verified(let total): console.line(CareText.verified(total))
                default: break
                }
            }
            for case .verified(let total) in ends {
                let left = repair ? total.damaged - total.mended : total.damaged
                if left > 0 || total.unread > 0 { throw ExitCode.partlyFailed }
            }
        }

        private static func rate(_ text: String) throws -> ByteCount {
            guard let rate = ByteCount(text), rate.bytes > 0 else {
                throw ValidationError("\"\(text)\" is not a size; write a number and a unit, such as 50MB")
            }
            return rate
        }
    }
}
