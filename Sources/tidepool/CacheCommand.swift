import ArgumentParser
import MirrorCore
import Settings

/// Looks after the cache.
struct CacheCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "See, check and clean what is kept.",
        discussion: """
            Asks the running mirror by the control socket in its data directory; where none runs, takes the data \
            directory itself. Images are named as in a pull: nginx, nginx:1.27, ghcr.io/org/app@sha256:…

            Exit codes: 0 done; 1 damage was found and not mended, or an image is not held so that it could be pulled \
            without its upstream; 2 failed, or no such image; 3 configuration error; 64 usage.
            """,
        subcommands: [
            ListImages.self, ShowImage.self, RemoveImage.self, CollectGarbage.self, VerifyCache.self, ShowStats.self,
            PinImage.self, UnpinImage.self,
        ]
    )

    /// What all of them take.
    struct Options: ParsableArguments {
        @Option(help: "The settings file. Default: $TIDEPOOL_CONFIG, or the built-in settings.")
        var config: String?

        @Option(help: "The cache is here instead of where the settings say.", transform: ServeCommand.path)
        var dataDir: String?

        @Flag(help: "Print JSON Lines: an object a line, as /-/api/cache/ has them.")
        var json = false
    }
}

extension CacheCommand {
    struct ListImages: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ls",
            abstract: "List the images, and whether they could be pulled if their upstreams died now."
        )

        @Flag(help: "Only those that could not; the exit code is 1 when there are any.")
        var incomplete = false

        @OptionGroup var options: Options

        func run() async throws {
            let printer = ListPrinter()
            let total =
                try await options.perform(.list(incompleteOnly: incomplete)) { report, console in
                    switch report {
                    case .image(let image): console.line(printer.line(for: image))
                    case .total(let total): console.line(printer.text(for: total))
                    default: break
                    }
                }
                .compactMap { report in if case .total(let total) = report { total } else { nil } }
            if incomplete, let total = total.last, total.incomplete > 0 { throw ExitCode.partlyFailed }
        }
    }

    struct ShowImage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show what is held of an image, by platform.",
            discussion: "The exit code is 1 when it could not be pulled if its upstream died now."
        )

        @Argument(help: "The image, as in a pull.")
        var image: String

        @OptionGroup var options: Options

        func run() async throws {
            let ends = try await options.perform(.show(image)) { report, console in
                if case .held(let holding) = report { console.line(ImageSheet(now: .now()).text(of: holding)) }
            }
            for case .held(let holding) in ends where !holding.survival.isPullable { throw ExitCode.partlyFailed }
        }
    }

    struct RemoveImage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rm",
            abstract: "Remove an image, and what only it needs."
        )

        @Argument(help: "The image, as in a pull.")
        var image: String

        @OptionGroup var options: Options

        func run() async throws {
            try await options.perform(.remove(image)) { report, console in
                if case .removed(let total) = report { console.line(CareText.removed(total)) }
            }
        }
    }

    struct CollectGarbage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "gc",
            abstract: "Remove layers that no image has, and files that nobody knows.",
            discussion: "A layer stays for an hour after its last use, since its manifest may be about to come."
        )

        @OptionGroup var options: Options

        func run() async throws {
            try await options.perform(.collect) { report, console in
                if case .removed(let total) = report { console.line(CareText.removed(total)) }
            }
        }
    }

    struct ShowStats: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "stats", abstract: "Show what there is in all.")

        @OptionGroup var options: Options

        func run() async throws {
            try await options.perform(.stats) { report, console in
                if case .stats(let stats) = report { console.line(CareText.stats(stats, now: .now())) }
            }
        }
    }

    struct PinImage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pin",
            abstract: "Keep an image, whatever else must go.",
            discussion: """
                Eviction, rm and gc leave it and all that it references alone, and it is served without its upstream however \
                long ago it was checked. It need not have been pulled yet.
                """
        )

        @Argument(help: "The image, as in a pull.")
        var image: String

        @OptionGroup var options: Options

        func run() async throws {
            try await options.perform(.pin(image), showing: CacheCommand.showPin)
        }
    }

    struct UnpinImage: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "unpin", abstract: "Take a pin away.")

        @Argument(help: "The image, as it was pinned.")
        var image: String

        @OptionGroup var options: Options

        func run() async throws {
            try await options.perform(.unpin(image), showing: CacheCommand.showPin)
        }
    }

    fileprivate static func showPin(_ report: CareReport, _ console: CareConsole) {
        if case .pin(let state) = report { console.line(CareText.pin(state)) }
    }
}
