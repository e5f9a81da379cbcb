import type { ThemeConfig } from 'antd'

// Every pair of text and ground here keeps a contrast of 4.5:1 or more (WCAG AA);
// antd's own primary and its placeholder grey do not.
export const colors = {
  primary: '#14508c',
  success: '#1b6e3c',
  warning: '#8a5200',
  error: '#b3261e',
  text: '#1d2733',
  quiet: '#566170',
  line: '#e2e7ed',
  ground: '#f3f5f8',
}

// Series colours of the charts, told apart also by people who do not see red and green.
export const series = ['#14508c', '#c26a00', '#2f7f86', '#7a4fa3', '#a33b4e', '#5b6b2f', '#3c6fd1', '#8a6d3b']

export const theme: ThemeConfig = {
  token: {
    colorPrimary: colors.primary,
    colorInfo: colors.primary,
    colorLink: colors.primary,
    colorSuccess: colors.success,
    colorWarning: colors.warning,
    colorError: colors.error,
    // The grounds antd derives from dark seeds are muddy: named here instead.
    colorInfoBg: '#e6eff9',
    colorInfoBorder: '#b5cde8',
    colorPrimaryBg: '#e6eff9',
    colorSuccessBg: '#e4f3e9',
    colorSuccessBorder: '#a9d5b8',
    colorWarningBg: '#fff3dc',
    colorWarningBorder: '#ecc98a',
    colorErrorBg: '#fdecea',
    colorErrorBorder: '#efb5b0',
    colorText: colors.text,
    colorTextSecondary: colors.quiet,
    colorTextTertiary: colors.quiet,
    colorTextDescription: colors.quiet,
    colorTextPlaceholder: '#667080',
    colorBorderSecondary: colors.line,
    colorBgLayout: colors.ground,
    borderRadius: 6,
    fontSize: 14,
    fontFamily:
      '"PingFang SC","Microsoft YaHei","Source Han Sans SC","Noto Sans CJK SC","Noto Sans SC",system-ui,sans-serif',
    motion: false,
  },
  components: {
    Layout: { headerBg: '#ffffff', siderBg: '#ffffff', headerHeight: 52, headerPadding: '0 20px' },
    Menu: { itemSelectedBg: '#e6eef7', itemHeight: 36, groupTitleColor: colors.quiet },
    Table: { headerBg: '#f7f9fb', headerColor: colors.quiet, cellPaddingBlockSM: 7, rowHoverBg: '#f5f8fc' },
    Card: { headerFontSize: 15, headerHeight: 46, bodyPadding: 16 },
    Descriptions: { labelColor: colors.quiet },
  },
}
