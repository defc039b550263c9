# Puts p2p into a folder of yours: finds the archive, checks it, unpacks it, tries it, and only then
# puts it in the place of an older one. Needs no administrator and asks nothing. For the PowerShell
# that comes with Windows (5.1), and for newer ones.
#
#     install.ps1 [-From <place>] [-Version <version>] [-To <folder>]
#
#   -From     a page of releases (https://.../releases), or the address or the folder of one
#             release, with its SHA256SUMS (default: P2P_RELEASES, or the page that this script was
#             taken from)
#   -Version  such as 0.1.0 (default: the newest)
#   -To       where p2p goes (default: .local\bin in your own folder)
#
# Run it again to get a newer version.
param([string]$From, [string]$Version, [string]$To)

# The page of all releases, filled in where this script lies on one.
$Releases = ''

function Install-P2p([string]$From, [string]$Version, [string]$To) {
  $ErrorActionPreference = 'Stop'
  # Its bar makes downloads many times slower in Windows PowerShell.
  $ProgressPreference = 'SilentlyContinue'
  $target = Get-P2pTarget
  $Version = $Version -replace '^v', ''
  $place = Get-P2pPlace $From $Version
  if (-not $To) { $To = Join-Path $HOME '.local\bin' }
  $To = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath($To)

  $draft = Join-Path ([IO.Path]::GetTempPath()) "p2p-install.$([Guid]::NewGuid())"
  New-Item -ItemType Directory $draft | Out-Null
  try {
    Get-P2pFile $place 'SHA256SUMS' $draft
    $archive = Get-P2pArchive $place $target $Version (Get-Content (Join-Path $draft 'SHA256SUMS'))
    Get-P2pFile $place $archive.Name $draft
    Test-P2pFile (Join-Path $draft $archive.Name) $archive
    Expand-Archive (Join-Path $draft $archive.Name) $draft
    $folder = $archive.Name -replace '\.zip$', ''
    $new = Join-Path (Join-Path $draft $folder) 'p2p.exe'
    Set-P2pProgram $new $To
    Write-P2pPath $To
  } finally {
    Remove-Item -Recurse -Force $draft
  }
}

function Get-P2pTarget {
  # Windows PowerShell has no $IsWindows, and runs nowhere else.
  if ($PSVersionTable.PSVersion.Major -ge 6 -and -not $IsWindows) {
    throw 'Cannot install here: this script is for Windows. Use install.sh'
  }
  $machine = if ($env:PROCESSOR_ARCHITEW6432) { $env:PROCESSOR_ARCHITEW6432 }
  else { $env:PROCESSOR_ARCHITECTURE }
  switch ($machine) {
    'AMD64' { return 'windows-x64' }
    # Windows 11 runs the programs of the other processor, too.
    'ARM64' { return 'windows-x64' }
    default { throw "Cannot install on ${machine}: there is no p2p for it" }
  }
}

# Where the files of the wanted release are: on a page of releases, each has a folder of its own.
function Get-P2pPlace([string]$from, [string]$version) {
  if (-not $from) { $from = $env:P2P_RELEASES }
  if (-not $from) { $from = $Releases }
  if (-not $from) {
    throw 'Cannot know where to get p2p from: say it with -From, or in P2P_RELEASES: ' +
      'the address of a page of releases, or a folder'
  }
  if ($version -match '[^0-9A-Za-z.+-]') {
    throw "Cannot use version `"$version`": it must be like 0.1.0"
  }
  $from = $from -replace '[\\/]$', ''
  if ($from -match '^http://(?!127\.0\.0\.1[:/]|localhost[:/])') {
    Write-Warning 'This address is not https: whoever is on the way can give you another program'
  }
  if ($from -notmatch '://.*/releases$') { return $from }
  if ($version) { return "$from/download/v$version" }
  return "$from/latest/download"
}

function Get-P2pFile([string]$place, [string]$name, [string]$draft) {
  $file = Join-Path $draft $name
  if ($place -notmatch '^https?://') {
    $source = Join-Path $place $name
    if (-not (Test-Path -LiteralPath $source)) {
      throw "Cannot read `"$source`": the folder must hold a release, with its SHA256SUMS"
    }
    Copy-Item -LiteralPath $source $file
    return
  }
  try {
    # Windows PowerShell would begin with what few servers still speak.
    [Net.ServicePointManager]::SecurityProtocol =
      [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
    Invoke-WebRequest -UseBasicParsing -Uri "$place/$name" -OutFile $file
  } catch {
    throw "Cannot download `"$place/$name`": $($_.Exception.Message). Nothing was changed here"
  }
}

# Among the archives of the release, the one for this machine.
function Get-P2pArchive([string]$place, [string]$target, [string]$version, [string[]]$sums) {
  $name = "p2p-[0-9A-Za-z.+-]*-$target\.zip"
  $found = @($sums | Where-Object { $_ -cmatch "^[0-9a-f]{64} [ *]$name$" })
  if ($found.Count -eq 0) {
    throw "Cannot install on ${target}: the release at `"$place`" has no archive for it"
  }
  if ($found.Count -gt 1) {
    throw "Cannot choose: the release at `"$place`" has several archives for $target"
  }
  $archive = @{ Sha256 = $found[0].Substring(0, 64); Name = $found[0].Substring(66) }
  if ($version -and $archive.Name -cne "p2p-$version-$target.zip") {
    throw "Cannot install version ${version}: at `"$place`" there is $($archive.Name)"
  }
  return $archive
}

function Test-P2pFile([string]$file, $archive) {
  $got = (Get-FileHash -Algorithm SHA256 -LiteralPath $file).Hash.ToLowerInvariant()
  if ($got -ceq $archive.Sha256) { return }
  throw "Cannot trust `"$($archive.Name)`": its SHA-256 is $got, SHA256SUMS says " +
    "$($archive.Sha256). Nothing was changed here"
}

function Get-P2pVersion([string]$program) {
  $told = & $program --version
  if ($LASTEXITCODE -ne 0) { throw "Cannot start `"$program`" on this machine" }
  return $told
}

function Set-P2pProgram([string]$new, [string]$to) {
  # What does not start here must not take the place of what does.
  $version = Get-P2pVersion $new
  New-Item -ItemType Directory -Force $to | Out-Null
  $program = Join-Path $to 'p2p.exe'
  $beside = Join-Path $to '.p2p.new.exe'
  Copy-Item -Force -LiteralPath $new $beside
  # A program that runs can be renamed, but neither replaced nor removed.
  Remove-Item -Force (Join-Path $to '.p2p.old.*.exe') -ErrorAction SilentlyContinue
  if (Test-Path -LiteralPath $program) {
    $old = Join-Path $to ".p2p.old.$([Guid]::NewGuid()).exe"
    Move-Item -LiteralPath $program $old
    Move-Item -LiteralPath $beside $program
    Remove-Item -Force -LiteralPath $old -ErrorAction SilentlyContinue
    Write-Host "install: $version is in $program, in the place of the older one"
  } else {
    Move-Item -LiteralPath $beside $program
    Write-Host "install: $version is in $program"
  }
  Write-Host "install: to be rid of it: Remove-Item '$program' (p2p config shows where it keeps its files)"
}

function Write-P2pPath([string]$to) {
  $parts = $env:PATH -split ';' | ForEach-Object { $_.TrimEnd('\') }
  if ($parts -contains $to.TrimEnd('\')) { return }
  Write-Host "install: your PATH lacks ${to}: programs there are not found by their name alone"
  Write-Host 'install: to put it there for you alone, and for windows that you open from now on:'
  Write-Host ("  [Environment]::SetEnvironmentVariable('Path', " +
    "[Environment]::GetEnvironmentVariable('Path', 'User') + ';$to', 'User')")
}

# In a block of its own, so that a script that was cut on its way does nothing.
try {
  Install-P2p $From $Version $To
} catch {
  # `exit` would close the window of somebody who runs this by `irm | iex`.
  if (-not $PSCommandPath) { throw }
  [Console]::Error.WriteLine("install: $($_.Exception.Message)")
  exit 1
}
