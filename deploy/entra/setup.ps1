<#
.SYNOPSIS
Makes the app in Entra by which Postrider sends from one mailbox, and says the four values that Postrider needs.

.DESCRIPTION
For the administrator of a Microsoft 365 directory. Run again, it goes on where it stopped: nothing is made twice, but for the
client secret, of which each run makes a new one.

OneMailbox (the default) gives the right to send in Exchange Online, for this mailbox alone (RBAC for Applications); it works
after 30 minutes to 2 hours. WholeDirectory grants Mail.Send in Entra with consent, for every mailbox, at once. The rights add up:
as long as Mail.Send is consented to in Entra, the scope in Exchange restricts nothing, so OneMailbox takes that consent back.

Needs the modules Microsoft.Graph.Applications and ExchangeOnlineManagement (Install-Module … -Scope CurrentUser), and an administrator
who may make apps (Application Administrator; with WholeDirectory: Privileged Role Administrator) and manage Exchange (Exchange
Administrator, Organization Management).

.EXAMPLE
./setup.ps1 -SenderMailbox sales@reseller.example
#>
[CmdletBinding()]
param(
    [Parameter(Mandatory)][ValidatePattern('^[^@\s'']+@[^@\s'']+$')][string] $SenderMailbox,
    [string] $DisplayName = 'Postrider',
    [ValidateSet('OneMailbox', 'WholeDirectory')][string] $Access = 'OneMailbox',
    [ValidateRange(1, 24)][int] $SecretMonths = 12
)
Set-StrictMode -Version Latest
$ErrorActionPreference = 'Stop'

# Microsoft Graph and its application permission Mail.Send: the same in every directory.
$graphAppId = '00000003-0000-0000-c000-000000000000'
$mailSend = 'b633e1c5-b582-4048-a93e-9f11b44c7e96'

Connect-MgGraph -NoWelcome -Scopes 'Application.ReadWrite.All', 'AppRoleAssignment.ReadWrite.All'
$directory = (Get-MgContext).TenantId

# The app, and what stands for it in this directory: the enterprise application.
$found = @(Get-MgApplication -Filter "displayName eq '$($DisplayName.Replace("'", "''"))'")
if ($found.Count -gt 1) { throw "There are $($found.Count) apps called '$DisplayName'. Choose another -DisplayName." }
$app = if ($found) { $found[0] } else { New-MgApplication -DisplayName $DisplayName -SignInAudience 'AzureADMyOrg' }
$principal = Get-MgServicePrincipal -Filter "appId eq '$($app.AppId)'"
if (-not $principal) { $principal = New-MgServicePrincipal -AppId $app.AppId }

$graph = Get-MgServicePrincipal -Filter "appId eq '$graphAppId'"
$consent = Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -All |
    Where-Object { $_.AppRoleId -eq $mailSend -and $_.ResourceId -eq $graph.Id }

if ($Access -eq 'WholeDirectory') {
    $needed = @{ ResourceAppId = $graphAppId; ResourceAccess = @(@{ Id = $mailSend; Type = 'Role' }) }
    Update-MgApplication -ApplicationId $app.Id -RequiredResourceAccess @($needed)
    if (-not $consent) {
        New-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -PrincipalId $principal.Id `
            -ResourceId $graph.Id -AppRoleId $mailSend | Out-Null
    }
}
else {
    Connect-ExchangeOnline -ShowBanner:$false
    # Why Get-EXOMailbox first: a scope on a mailbox that is not there would be made, and hold nothing.
    $mailbox = Get-EXOMailbox -Identity $SenderMailbox
    $scope = "$DisplayName $($mailbox.UserPrincipalName)"
    if (-not (Get-ServicePrincipal | Where-Object { $_.AppId -eq $app.AppId })) {
        New-ServicePrincipal -AppId $app.AppId -ObjectId $principal.Id -DisplayName $DisplayName | Out-Null
    }
    if (-not (Get-ManagementScope | Where-Object { $_.Name -eq $scope })) {
        New-ManagementScope -Name $scope -RecipientRestrictionFilter "UserPrincipalName -eq '$($mailbox.UserPrincipalName)'" | Out-Null
    }
    $assigned = Get-ManagementRoleAssignment -Role 'Application Mail.Send' | Where-Object { $_.CustomResourceScope -eq $scope }
    if (-not $assigned) {
        New-ManagementRoleAssignment -App $principal.Id -Role 'Application Mail.Send' -CustomResourceScope $scope | Out-Null
    }
    if ($consent) {
        $consent | ForEach-Object {
            Remove-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $principal.Id -AppRoleAssignmentId $_.Id
        }
        Write-Warning 'The consent to Mail.Send for the whole directory was taken back. Mail may be held until the scope in Exchange works.'
    }
    Test-ServicePrincipalAuthorization -Identity $principal.Id -Resource $SenderMailbox | Format-Table RoleName, InScope
}

$secret = Add-MgApplicationPassword -ApplicationId $app.Id -PasswordCredential @{
    DisplayName = 'Postrider'
    EndDateTime = (Get-Date).ToUniversalTime().AddMonths($SecretMonths)
}

Write-Output @"

Enter these in the panel, or give them to whoever runs Postrider. The secret is shown this once.

  Directory (tenant) ID    $directory
  Application (client) ID  $($app.AppId)
  Client secret (Value)    $($secret.SecretText)
  It expires               $($secret.EndDateTime.ToString('yyyy-MM-dd'))
  Sender mailbox           $SenderMailbox
"@
